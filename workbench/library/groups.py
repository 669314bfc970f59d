"""Sums tensors up by role and storage type."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from workbench.library.roles import role_of
from workbench.model import TensorGroup

#: The order in which a person meets them in a model; other roles follow.
_ORDER = ("embedding", "attention", "feed-forward", "experts", "router", "state space", "norm", "output")


@dataclass(frozen=True, slots=True)
class WeightTensor:
    """One tensor in weights, not in stored elements.

    Attributes:
        name: The tensor it belongs to: scales count towards the weight that they scale.
        type: How it is stored, for a person.
        parameters: Weights; 0 for scales and the like.
        size_bytes: Bytes on disk.
        counts: Whether it is a tensor of its own, not a part of another.
        matrix: Whether it has two or more dimensions, so that quantization concerns it.
    """

    name: str
    type: str
    parameters: int
    size_bytes: int
    counts: bool = True
    matrix: bool = True


def group(tensors: Iterable[WeightTensor]) -> tuple[TensorGroup, ...]:
    """The tensors summed up by role and type, in the order of a model."""
    sums: dict[tuple[str, str], list[int]] = {}
    for tensor in tensors:
        total = sums.setdefault((role_of(tensor.name), tensor.type), [0, 0, 0])
        total[0] += tensor.counts
        total[1] += tensor.parameters
        total[2] += tensor.size_bytes
    places = {role: place for place, role in enumerate(_ORDER)}
    ordered = sorted(sums.items(), key=lambda item: (places.get(item[0][0], len(_ORDER)), -item[1][1]))
    return tuple(
        TensorGroup(name=role, type=kind, tensors=total[0], parameters=total[1], size_bytes=total[2])
        for (role, kind), total in ordered
    )


def dominant_type(tensors: Iterable[WeightTensor]) -> str:
    """The type that most weights of the matrices have; of all tensors where there is no matrix."""
    matrices: dict[str, int] = {}
    vectors: dict[str, int] = {}
    for tensor in tensors:
        sums = matrices if tensor.matrix else vectors
        sums[tensor.type] = sums.get(tensor.type, 0) + tensor.parameters
    sums = matrices or vectors
    return max(sums, key=lambda kind: sums[kind]) if sums else ""


def bits_per_weight(groups: Iterable[TensorGroup]) -> float:
    """Stored bits of tensor data per weight, to two digits after the point."""
    listed = tuple(groups)
    parameters = sum(each.parameters for each in listed)
    return round(8 * sum(each.size_bytes for each in listed) / parameters, 2) if parameters else 0.0
