"""Sums the squares of what goes into each matrix of a model: what an importance matrix is made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.plugin import WorkbenchError

Doubles = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(slots=True)
class InputSums:
    """Of one tensor.

    Attributes:
        squares: Sum of the squared inputs by column, shape (matrices, columns): the experts of a layer, or
            one matrix.
        counts: How many tokens they come from, shape (matrices,); or one count for matrices that all tokens
            go through.
    """

    squares: Doubles
    counts: Counts


class ImportanceSums:
    """The sums over all tokens so far, by tensor name. In float64, so that long texts lose nothing.

    >>> sums = ImportanceSums()
    >>> sums.add("blk.0.ffn_up.weight", np.array([[[[1.0, 2.0], [3.0, 0.0]]]]), matrices=1)
    >>> found = sums.tensors["blk.0.ffn_up.weight"]
    >>> found.squares.tolist(), found.counts.tolist()
    ([[10.0, 4.0]], [2])
    """

    def __init__(self) -> None:
        self.tensors: dict[str, InputSums] = {}

    def add(self, name: str, inputs: NDArray[np.floating], *, matrices: int) -> None:
        """Take in the inputs of a tensor that every token goes through.

        Args:
            inputs: Shape (outer, matrices or their heads, tokens, columns).
            matrices: How many matrices the tensor holds; inputs go to them in turn.
        """
        by_head = _squares(name, inputs).reshape(-1, *inputs.shape[2:]).sum(axis=1)
        heads = len(by_head)
        sums = self._of(name, matrices, inputs.shape[-1], counted=1)
        # One matrix takes the inputs of all heads; several take them in turn.
        for matrix in range(min(matrices, heads)):
            sums.squares[matrix] += by_head[matrix::matrices].sum(axis=0)
        sums.counts += heads * inputs.shape[2] // matrices

    def add_chosen(
        self, name: str, inputs: NDArray[np.floating], chosen: NDArray[np.integer], *, matrices: int
    ) -> None:
        """Take in the inputs of a layer of experts, each token going to those that its router chose.

        Args:
            inputs: Shape (tokens, inputs of a token, columns): one for all its experts, or one for each.
            chosen: The experts of each token, shape (tokens, experts used).

        Raises:
            WorkbenchError: An expert is named that the layer does not have.
        """
        if chosen.size and not 0 <= int(chosen.min()) <= int(chosen.max()) < matrices:
            raise WorkbenchError(f"{name} names an expert that it does not have.")
        squares = _squares(name, inputs)
        sums = self._of(name, matrices, inputs.shape[-1], counted=matrices)
        for slot in range(chosen.shape[1]):
            of_slot = squares[:, slot % inputs.shape[1]]
            np.add.at(sums.squares, chosen[:, slot], of_slot)
            sums.counts += np.bincount(chosen[:, slot], minlength=matrices)

    def _of(self, name: str, matrices: int, columns: int, *, counted: int) -> InputSums:
        found = self.tensors.get(name)
        if found is None:
            found = InputSums(np.zeros((matrices, columns)), np.zeros(counted, dtype=np.int64))
            self.tensors[name] = found
        if found.squares.shape != (matrices, columns) or len(found.counts) != counted:
            raise WorkbenchError(f"{name} is computed in two shapes, which no importance matrix describes.")
        return found


def _squares(name: str, inputs: NDArray[np.floating]) -> Doubles:
    squares: Doubles = np.square(inputs, dtype=np.float64)
    if not np.isfinite(squares).all():
        raise WorkbenchError(
            f"What goes into {name} is no finite number.",
            remedy="The model is damaged, or overflows in the type of its arithmetic.",
        )
    return squares
