"""Says in plain words what a proof card shows: a grade for the distance, and a headline for the whole.

`docs/proof-card.md` gives the reasons of every threshold.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from workbench.measure.card import Card, ParityCheck, Quality, Rate
from workbench.measure.figures import kld_text, rate_text, size_text, times_text
from workbench.measure.verdict import LITTLE_KLD, MUCH_KLD

Grade = Literal[
    "lossless", "same to the eye", "close to the original", "noticeably different", "damaged", "broken"
]
#: From the best to the worst.
GRADES: tuple[Grade, ...] = get_args(Grade)

#: How good a grade is, for whoever colours it.
TONES: dict[Grade, Literal["good", "warn", "bad"]] = {
    "lossless": "good",
    "same to the eye": "good",
    "close to the original": "good",
    "noticeably different": "warn",
    "damaged": "bad",
    "broken": "bad",
}

#: Mean KL divergence in nats up to which 4 bits stay in LLaMA 3 8B on Wikitext-2 (Q4_0: 0.072), and from
#: which 3 bits begin (Q3_K_M: 0.102). The ends of the scale are those of a training's forgetting. Figures of
#: llama.cpp's tools/perplexity/README.md, revision f364eb6f.
NOTICED_KLD = 0.1
#: The smallest share of same likeliest tokens that goes with each of these distances there: 91.9 % (Q4_K_M)
#: to 96.0 % (Q6_K), 85.6 % (LLaMA 2 7B, Q2_K, at 0.109), and 71.1 % (Q2_K, at 0.445).
_LEAST_SAME_TOP = (0.93, 0.85, 0.75)
_MOST_KLD = (LITTLE_KLD, NOTICED_KLD, MUCH_KLD)
_BY_DISTANCE: tuple[Grade, ...] = GRADES[1:5]

#: Sizes that differ by less than this share are the same: a header takes as much.
_SAME_SIZE = 0.005
#: From this ratio on it is told as one (`1.6×`), below in percent.
_AS_RATIO = 1.1


@dataclass(frozen=True, slots=True)
class Gain:
    """How many times as fast a model is as what it was compared with.

    Attributes:
        ratio: Of the two medians.
        low, high: Its bounds, from the ends of both 95 % intervals: wider than 95 %, never narrower.
        noisy: Whether one of the two was measured on a machine that was not quiet.
    """

    ratio: float
    low: float
    high: float
    noisy: bool = False

    @property
    def shown(self) -> bool:
        """Whether the two differ by more than their noise."""
        return not self.low <= 1.0 <= self.high


def grade(card: Card) -> Grade | Literal[""]:
    """The plain-language grade of a card; empty where neither quality nor identity was measured.

    A failed parity check makes a model broken whatever its distance. What was trained on is farther away on
    purpose, and so has no grade. Lossless needs every greedy answer to be
    identical, and a distance that does not contradict it.
    """
    if failed_checks(card):
        return "broken"
    if card.retrained:
        return ""
    distance = by_distance(card.quality) if card.quality is not None else None
    if card.identity is not None and card.identity.lossless and distance in (None, _BY_DISTANCE[0]):
        return "lossless"
    return distance or ""


def by_distance(quality: Quality) -> Grade:
    """The grade of a distance: the worse of what the divergence and the likeliest tokens say."""
    by_kld = _rank(quality.mean_kld <= most for most in _MOST_KLD)
    by_top = _rank(quality.same_top >= least for least in _LEAST_SAME_TOP)
    return _BY_DISTANCE[max(by_kld, by_top)]


def failed_checks(card: Card) -> tuple[ParityCheck, ...]:
    """The parity checks that found a fault."""
    return tuple(each for each in card.parity if each.result == "failed")


def speed_gain(card: Card) -> Gain | None:
    """How many times as fast one sequence is decoded as by the reference; None where that was not measured.

    Only speeds at the same depth of context are compared.
    """
    if card.speed is None or card.reference_speed is None:
        return None
    after, before = card.speed.alone, card.reference_speed.alone
    if after is None or before is None or after.tokens != before.tokens:
        return None
    return gain_of(after, before)


def gain_of(after: Rate, before: Rate) -> Gain | None:
    """How many times as fast one speed is as another; None where one is no speed."""
    if min(after.low, before.low, after.tokens_per_s, before.tokens_per_s) <= 0:
        return None
    return Gain(
        ratio=after.tokens_per_s / before.tokens_per_s,
        low=after.low / before.high,
        high=after.high / before.low,
        noisy=after.noisy or before.noisy,
    )


def headline(card: Card) -> str:
    """The whole card in a line, for example `1.6× faster, 61 % smaller, KL 0.054: close to the original`.

    A model that was compared with none has its speed and size instead; a broken one says what broke it.
    """
    failed = failed_checks(card)
    if failed:
        return f"Broken{by_stage(failed[0])}: {', '.join(each.name for each in failed)}"
    if card.reference is None:
        alone = card.speed.alone if card.speed is not None else None
        figures = [rate_text(alone)] if alone is not None else []
        return ", ".join([*figures, size_text(card.subject.size_bytes)])
    parts = [gain_words(gain)] if (gain := speed_gain(card)) is not None else []
    parts += [words] if (words := size_words(card)) else []
    parts += [f"KL {kld_text(card.quality.mean_kld)}"] if card.quality is not None else []
    said = grade(card)
    return ": ".join(each for each in (", ".join(parts), said) if each)


def gain_words(gain: Gain, of: str = "the original") -> str:
    """A gain in speed: `1.6× faster`, `4 % faster`, `23 % slower`, or `as fast as` where noise may be all.

    >>> gain_words(Gain(1.56, 1.5, 1.62)), gain_words(Gain(0.77, 0.75, 0.8))
    ('1.6× faster', '23 % slower')
    >>> gain_words(Gain(1.02, 0.98, 1.06)), gain_words(Gain(1.4, 1.2, 1.6, noisy=True))
    ('as fast as the original', 'about 1.4× faster')
    """
    if not gain.shown:
        return f"as fast as {of}"
    about = "about " if gain.noisy else ""
    if gain.ratio >= _AS_RATIO:
        return f"{about}{times_text(gain.ratio)}× faster"
    change = max(abs(gain.ratio - 1) * 100, 1)
    return f"{about}{change:.0f} % {'faster' if gain.ratio > 1 else 'slower'}"


def size_words(card: Card) -> str:
    """What became of the size: `61 % smaller`, `2.1× as large`, `same size`; empty where it is unknown."""
    if card.reference is None or not card.reference.size_bytes or not card.subject.size_bytes:
        return ""
    share = card.subject.size_bytes / card.reference.size_bytes
    if abs(share - 1) < _SAME_SIZE:
        return "same size"
    if share >= 2:
        return f"{times_text(share)}× as large"
    return f"{abs(share - 1) * 100:.0f} % {'smaller' if share < 1 else 'larger'}"


def by_stage(check: ParityCheck) -> str:
    """The step that broke a model, where one is known: ` by Convert to GGUF`."""
    return f" by {check.stage}" if check.stage else ""


def _rank(holds: Iterable[bool]) -> int:
    """The place of the first bound that holds; one more than there are where none does."""
    found = list(holds)
    return found.index(True) if True in found else len(found)
