"""Looks into llama.cpp while it reads text, and sums up what goes into each matrix."""

from __future__ import annotations

from plugins._ggml import Ggml
from plugins._imatrix_sums import ImportanceSums

#: An output layer that is a tensor of its own, and the embeddings that are one at the same time.
_OUTPUTS = ("output.weight", "token_embd.weight")


class ImportanceReader:
    """Both callbacks of a `WatchedModel`, filling `sums`.

    The meaning is that of llama.cpp's imatrix tool: squares of the inputs of every matrix of a layer, summed
    by column over all tokens; for experts by expert, over the tokens that were sent to it.

    Args:
        sums: Where the inputs of a window are added.
        output: Whether the output layer counts too. The tool leaves it out unless told `--process-output`.
    """

    def __init__(self, sums: ImportanceSums, *, output: bool) -> None:
        self.sums = sums
        self._output = output

    def wanted(self, ggml: Ggml, node: int) -> bool:
        """Whether a node multiplies a matrix of the model with activations."""
        if ggml.operation(node) not in ("MUL_MAT", "MUL_MAT_ID"):
            return False
        name = ggml.name(ggml.source(node, 0))
        if not name.endswith(".weight") or ggml.type_name(ggml.source(node, 1)) != "f32":
            return False
        return name.startswith("blk.") or (self._output and name in _OUTPUTS)

    def add(self, ggml: Ggml, node: int) -> None:
        """Take in the activations of a node that was computed."""
        weight, inputs = ggml.source(node, 0), ggml.source(node, 1)
        _columns, _rows, matrices, outer = ggml.shape(weight)
        if ggml.operation(node) == "MUL_MAT":
            self.sums.add(ggml.name(weight), ggml.read(inputs), matrices=matrices * outer)
            return
        chosen = ggml.read(ggml.source(node, 2))[0, 0]
        self.sums.add_chosen(ggml.name(weight), ggml.read(inputs)[0], chosen, matrices=matrices)
