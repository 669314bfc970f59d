"""Sees on the model itself whether packed rows are computed as their examples apart, before training."""

from __future__ import annotations

from plugins._tuning_backend import Backend, Piece
from plugins._tuning_loop import Settings
from workbench.plugin import ParameterError, Sides, collate

#: How far the loss of a packed row may be off: rounding in half precision stays below.
_TOLERANCE = 0.02


def check_packing(backend: Backend, sides: Sides, settings: Settings) -> None:
    """Make sure that examples in one row don't see each other.

    Models with state space or convolution layers carry something over whatever the attention mask says.

    Raises:
        ParameterError: They do.
    """
    side = sides.train
    if settings.plan.batching != "packed" or len(side) < 2:
        return
    first, second = (int(each) for each in side.examples[:2])
    longest = min(side.longest, settings.plan.longest) // 2
    apart = backend.measure(Piece(collate(side.tokens, ((first,), (second,)), longest))).loss
    packed = backend.measure(Piece(collate(side.tokens, ((first, second),), longest))).loss
    if abs(packed - apart) > _TOLERANCE * max(1.0, abs(apart)):
        raise ParameterError(
            "batching",
            "Examples in one row see each other in this model: not all that it carries on is attention.",
            remedy="Choose buckets, which hardly pad either.",
        )
