"""How far a step may move a model's predictions, from what the step changes."""

from __future__ import annotations

import math
from dataclasses import dataclass

from workbench.model import ModelFacts

#: From this many bits a weight on weights count as unquantized.
WHOLE_BITS = 15.0
#: Up to this share comes from rounding alone where weights keep 16 bits or more. Two engines that compute the
#: same weights in different types are far closer.
_ROUNDING = 0.01
#: What 6 bits a weight may lose. A model of 135 million parameters loses an eighth of it in Q4_K_M, which has
#: 6.2 bits there on average and 4.5 in its coarsest tensors; larger models lose less.
_AT_6_BITS = 0.15
#: No step that keeps a model may lose more.
_MOST = 0.5


@dataclass(frozen=True, slots=True)
class Limit:
    """How much of what a model's predictions tell a step may take away.

    A divergence by itself says little: 0.05 nats are nothing to a model that is sure of its words, and
    everything to one whose words are all nearly as likely. So it is measured against what the source's
    predictions tell of their contexts (`Information`), and a limit is a share of that.

    Attributes:
        share: From 0 to 1.
        reason: What may take it away.
    """

    share: float
    reason: str

    def nats(self, information: float) -> float:
        """The largest mean divergence from predictions that tell so much."""
        return self.share * information


def rounded_bits(facts: ModelFacts) -> float:
    """Bits a weight of those in fewer than 16: embeddings that a step leaves say nothing of it."""
    rounded = [each for each in facts.groups if each.size_bytes * 8 < WHOLE_BITS * each.parameters]
    if not rounded:
        return facts.bits_per_weight
    return 8 * sum(each.size_bytes for each in rounded) / sum(each.parameters for each in rounded)


def limit_of(*, same_type: bool, bits: float | None = None) -> Limit:
    """The limit of a step.

    Weights that are rounded to b bits have an error in proportion to 2⁻ᵇ, and a divergence goes with the
    square of a small error, so each bit less may cost four times as much, up to half of everything. Limits
    are wide: how good a type is, the proof measures; damaged weights lose nearly everything.

    Args:
        same_type: Whether the step leaves the weights 16 bits or more each, so that only rounding differs.
        bits: Bits a weight of the result, the mean of those that it rounds; None where they are not known.

    >>> [round(limit_of(same_type=False, bits=each).share, 3) for each in (8.5, 6.6, 5.5, 4.8)]
    [0.015, 0.075, 0.31, 0.5]
    >>> limit_of(same_type=True).share
    0.01
    """
    if same_type or (bits is not None and bits >= 15.9):
        return Limit(_ROUNDING, "rounding")
    if bits is None:
        return Limit(_MOST, "weights in fewer bits")
    return Limit(min(_MOST, _ROUNDING + _AT_6_BITS * 4 ** (6 - bits)), f"{bits:.2g} bits a weight")


def explained_gap(limit_nats: float) -> float:
    """How much less likely than a source's own choice another token may be to it, in nats.

    Independent noise of variance σ² on every logit makes a divergence of σ²/2, and the difference of two
    logits then has the variance 2σ². Taken is four times its standard deviation.

    >>> round(explained_gap(0.01), 3)
    0.8
    """
    return 4 * math.sqrt(4 * limit_nats)
