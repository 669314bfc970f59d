"""Measures how far a model moves when some of its tensors are stored in fewer bits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from plugins._ggml import Floats, Ggml
from plugins._llama_model import WatchedModel
from plugins._mixed_errors import matrix_importance, restored
from plugins._mixed_tensors import MatrixTensor, ModelWeights
from workbench.plugin import Divergence, WorkbenchError, windows_of

#: Predictions with fewer tokens before them say little about a model.
FIRST_SCORED = 16


class ChangedModel:
    """A full-precision model whose tensors are changed in memory, one group after the other, and put back.

    No file is written and the model is loaded once: a changed tensor is what comes back from the quantized
    one, in the type that the model has, so that the rest of the arithmetic stays the same.

    Args:
        text: What the divergence is measured on.
        width: Tokens of a window.
        most: How many windows, spread evenly over the text.
        kept: Where the reference's predictions are kept meanwhile, as they may be larger than the memory.

    Raises:
        WorkbenchError: The text is shorter than a window.
    """

    def __init__(
        self,
        ggml: Ggml,
        path: Path,
        weights: ModelWeights,
        tensors: Sequence[MatrixTensor],
        *,
        text: str,
        width: int,
        most: int,
        threads: int,
        kept: Path,
    ) -> None:
        self._ggml, self._weights, self._threads = ggml, weights, threads
        self._names = {tensor.name for tensor in tensors}
        self._places: dict[str, set[int]] = {}
        self._model = WatchedModel(
            path, width=width, threads=threads, wanted=self._notice, on_node=lambda *_: None
        )
        try:
            windows = windows_of(self._model.tokens(text), width, begin=self._model.begin)
            spread = np.linspace(0, len(windows) - 1, min(most, len(windows))).round().astype(int)
            self.windows = [windows[at].tolist() for at in spread]
            kept.parent.mkdir(parents=True, exist_ok=True)
            shape = (len(self.windows), width - FIRST_SCORED, self._model.vocabulary)
            self._reference: NDArray[np.float32] = np.memmap(kept, np.float32, "w+", shape=shape)
        except BaseException:
            self._model.close()
            raise

    def __enter__(self) -> ChangedModel:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._model.close()

    @property
    def reference(self) -> NDArray[np.float32]:
        """The unchanged model's logits, shape (windows, positions, vocabulary); see `read_reference`."""
        return self._reference

    def read_reference(self, window: int) -> None:
        """Read a window with the unchanged model; every window before the first `divergence`."""
        self._reference[window] = self._model.logits(self.windows[window])[FIRST_SCORED:]

    def divergence(
        self, types: Mapping[MatrixTensor, str], importance: Mapping[str, Floats]
    ) -> Divergence | None:
        """How far the model moves with some tensors stored in other types; it is as before afterwards.

        None where llama.cpp computes with none of them under its own name.
        """
        changed = [(place, tensor) for tensor in types for place in self._places.get(tensor.name, ())]
        if not changed:
            return None
        before = {place: self._ggml.read_bytes(place) for place, _ in changed}
        found = Divergence()
        try:
            for place, tensor in changed:
                self._change(place, tensor, types[tensor], importance.get(tensor.name))
            for number, window in enumerate(self.windows):
                found.add(self._reference[number], self._model.logits(window)[FIRST_SCORED:])
        finally:
            for place, content in before.items():
                self._ggml.write_bytes(place, content)
        return found

    def _notice(self, ggml: Ggml, node: int) -> bool:
        """Notes where the tensors lie, the first time that they are computed with."""
        source = ggml.source(node, 0)
        if source:
            name = ggml.name(source)
            if name in self._names:
                self._places.setdefault(name, set()).add(source)
        return False

    def _change(self, place: int, tensor: MatrixTensor, type: str, importance: Floats | None) -> None:
        weights = matrix_importance(importance, tensor)
        parts = []
        for matrix in range(tensor.matrices):
            rows = self._weights.rows(tensor, matrix)
            pieces = np.array_split(rows, self._threads)
            with ThreadPoolExecutor(self._threads) as pool:
                made = pool.map(lambda piece: restored(self._ggml, piece, type, weights[matrix]), pieces)  # noqa: B023
                parts.append(np.concatenate(list(made)))
        self._ggml.write_bytes(place, _as_stored(np.concatenate(parts), self._ggml.type_name(place)))


def _as_stored(rows: Floats, type: str) -> bytes:
    if type == "f16":
        return rows.astype(np.float16).tobytes()
    if type == "f32":
        return rows.tobytes()
    if type == "bf16":
        # The upper half of a float32, rounded to the nearest even.
        bits = rows.view(np.uint32)
        return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16).tobytes()
    raise WorkbenchError(f"A tensor is stored as {type}, not in full precision.")
