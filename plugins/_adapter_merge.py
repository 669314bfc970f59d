"""Writes a model with adapters merged into it, some rows of a tensor at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from plugins._adapter_base import Base
from plugins._adapter_changes import Change, change_of, parameters_changed, rows_of
from plugins._adapter_combining import Magnitudes, dropped, elected, generator_for, summed, trimmed
from plugins._adapter_folder import Adapter
from plugins._adapter_tensors import FLOATS, Stored, TensorWriter, pieces
from workbench.plugin import JobContext, ModelFileError, ParameterError

INDEX = "model.safetensors.index.json"
Combination = Literal["linear", "ties", "dare-linear", "dare-ties"]


@dataclass(frozen=True)
class Recipe:
    """How adapters become one change.

    Attributes:
        weights: A factor for each.
        combination: See `plugins.merge_adapter`.
        density: Share of each adapter's numbers that is kept, except where `linear`.
        dtype: The type of the result by safetensors' name; empty for each tensor's own.
        seed: Of the random choices.
    """

    weights: tuple[float, ...]
    combination: Combination = "linear"
    density: float = 1.0
    dtype: str = ""
    seed: int = 0


class Merge:
    """Adapters on their way into a base.

    Args:
        adapters: In the order of the recipe's weights.

    Raises:
        ModelFileError: An adapter does not fit the base.
    """

    def __init__(self, job: JobContext, base: Base, adapters: Sequence[Adapter], recipe: Recipe) -> None:
        self._job = job
        self._base = base
        self._adapters = tuple(adapters)
        self._recipe = recipe
        self._changed = [parameters_changed(adapter, base) for adapter in adapters]
        everything = {name for names in self._changed for name in names}
        #: The changed parameter that each tensor of the result holds; a shared one is called after itself.
        self._parameters = {base.own_tensor_of(name) or name: name for name in everything}
        self._thresholds: list[float] = []
        self._apart: tuple[str, ...] = ()
        self._done = self._total = 0

    def write(self, target: Path) -> None:
        """Write the weights, in files as the base has them, and their index.

        Raises:
            ModelFileError: A weight would be NaN or infinite.
            ParameterError: A weight does not fit into the type that was chosen.
            DiskFullError: There is no room for the result.
        """
        self._job.reserve(target, self._result_bytes())
        if self._recipe.combination == "ties":
            self._total = self._result_bytes() + 2 * self._changed_bytes()
            self._thresholds = [self._threshold(number) for number in range(len(self._adapters))]
        self._apart = self._to_set_apart()
        self._total = self._done + self._result_bytes()
        self._job.reserve(target, self._result_bytes())
        index: dict[str, str] = {}
        for shard in self._base.shards:
            tensors = self._planned(shard is self._base.shards[-1], shard.tensors.values())
            index |= dict.fromkeys((each.name for each in tensors), shard.path.name)
            with TensorWriter(target / shard.path.name, tensors, shard.metadata) as writer:
                for each in writer.order:
                    self._write_tensor(writer, each)
        if len(self._base.shards) > 1:
            self._write_index(target, index)

    @property
    def unties(self) -> bool:
        """Whether weights that the base shares differ in the result, once it is written."""
        both_stored = [pair for pair in self._base.ties.items() if all(map(self._base.own_tensor_of, pair))]
        changed = frozenset(self._parameters.values())
        return bool(self._apart) or any(not changed.isdisjoint(pair) for pair in both_stored)

    # ------------------------------------------------------------------ what the result holds

    def _planned(self, last: bool, stored: Any) -> list[Stored]:
        """The tensors of one file of the result; those that are set apart go into the last one."""
        tensors = list(stored)
        if last:
            tensors += [replace(self._stored(name), name=name) for name in self._apart]
        wanted = self._recipe.dtype
        return [replace(each, dtype=wanted) if wanted and each.dtype in FLOATS else each for each in tensors]

    def _stored(self, parameter: str) -> Stored:
        return self._base.stored(str(self._base.tensor_of(parameter)))

    def _everything(self) -> list[Stored]:
        last = self._base.shards[-1]
        return [
            each
            for shard in self._base.shards
            for each in self._planned(shard is last, shard.tensors.values())
        ]

    def _result_bytes(self) -> int:
        return sum(each.size_bytes for each in self._everything())

    def _changed_bytes(self) -> int:
        return sum(self._stored(name).size_bytes for names in self._changed for name in names)

    def _to_set_apart(self) -> tuple[str, ...]:
        """The parameters without a tensor of their own, if any of them does not stay like the shared one."""
        for name, other in self._base.shared.items():
            touched = {name, other} & set(self._parameters.values())
            if touched and not self._equal(name, other):
                return tuple(self._base.shared)
        return ()

    def _equal(self, one: str, other: str) -> bool:
        return all(
            bool((first == second).all())
            for first, second in zip(self._merged(one), self._merged(other), strict=True)
        )

    # ------------------------------------------------------------------ arithmetic

    def _merged(self, parameter: str) -> Iterator[Any]:
        """The rows of a parameter with all changes, in float32."""
        numbers = [number for number, names in enumerate(self._changed) if parameter in names]
        changes = [self._change(number, parameter) for number in numbers]
        seed = self._recipe.seed
        generators = [generator_for(seed, number, parameter) for number in numbers]
        for start, stop in pieces(self._stored(parameter).shape):
            self._job.check()
            rows = rows_of(self._base, parameter, start, stop)
            yield self._combined(rows, start, stop, numbers, changes, generators) if changes else rows

    def _combined(
        self,
        rows: Any,
        start: int,
        stop: int,
        numbers: list[int],
        changes: list[Change],
        generators: list[Any],
    ) -> Any:
        recipe = self._recipe
        weights = [recipe.weights[number] for number in numbers]
        if recipe.combination == "linear" and weights == [1.0]:
            # What was trained whole stands in the result bit by bit, not as a sum of differences.
            return changes[0].applied(rows, start, stop)
        deltas = [change.delta(rows, start, stop) for change in changes]
        if recipe.combination == "ties":
            limits = [self._thresholds[number] for number in numbers]
            deltas = [trimmed(delta, limit) for delta, limit in zip(deltas, limits, strict=True)]
        elif recipe.combination != "linear":
            deltas = [
                dropped(delta, recipe.density, generator)
                for delta, generator in zip(deltas, generators, strict=True)
            ]
        combined = elected if recipe.combination in ("ties", "dare-ties") else summed
        return rows + combined(deltas, weights)

    def _change(self, number: int, parameter: str) -> Change:
        found = change_of(self._adapters[number], self._base, parameter, self._job.check)
        return found if found is not None else Change()

    def _threshold(self, number: int) -> float:
        """The magnitude that the kept share of an adapter's numbers reaches, all its tensors together."""
        found = Magnitudes(self._recipe.density)
        for first in (True, False):
            for parameter in self._changed[number]:
                change = self._change(number, parameter)
                stored = self._stored(parameter)
                for start, stop in pieces(stored.shape):
                    rows = rows_of(self._base, parameter, start, stop)
                    found.count(change.delta(rows, start, stop))
                    self._count(stored.size_bytes * (stop - start) // max(1, stored.rows), parameter)
            if first:
                found.narrow()
        return found.threshold()

    # ------------------------------------------------------------------ writing

    def _write_tensor(self, writer: TensorWriter, target: Stored) -> None:
        import torch

        parameter = self._parameters.get(target.name)
        dtype = getattr(torch, FLOATS[target.dtype][0]) if target.dtype in FLOATS else None
        for rows in self._copied(target.name) if parameter is None else self._merged(parameter):
            rounded = rows if dtype is None else rows.to(dtype)
            if rounded is not rows or parameter is not None:
                self._check_finite(target, rows, rounded)
            size = writer.write(rounded)
            self._job.throughput(size, unit="B")
            self._count(size, target.name)

    def _copied(self, name: str) -> Iterator[Any]:
        """The rows of a tensor that nothing changes, as they are stored."""
        tensor = self._base.tensor_of(name) or name
        for start, stop in pieces(self._base.stored(tensor).shape):
            yield self._base.rows(tensor, start, stop)

    def _check_finite(self, target: Stored, rows: Any, rounded: Any) -> None:
        if rounded.isfinite().all():
            return
        if rows.isfinite().all():
            largest, precision = float(rows.abs().max()), FLOATS[target.dtype][0]
            raise ParameterError(
                "precision",
                f"{target.name} holds {largest:.3g}, which is too much for {precision}.",
                remedy="Choose bfloat16 or float32.",
            )
        raise ModelFileError(
            self._base.path,
            f"merged, its tensor {target.name} would hold NaN or infinity.",
            remedy="Choose smaller factors, or another adapter.",
        )

    def _count(self, size: int, label: str) -> None:
        self._done += size
        self._job.progress(min(self._done, self._total), self._total, unit="bytes", label=label)

    def _write_index(self, target: Path, index: dict[str, str]) -> None:
        everything = self._everything()
        content = {
            "metadata": {
                "total_parameters": sum(each.count for each in everything),
                "total_size": sum(each.size_bytes for each in everything),
            },
            "weight_map": dict(sorted(index.items())),
        }
        (target / INDEX).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
