"""What the window says of a proof card: its one big figure, its grade as a sentence, when it was made."""

from __future__ import annotations

from dataclasses import dataclass

from ui import format as show
from ui.widgets.fact_grid import Fact
from ui.widgets.model_words import Tone, grade_tone
from workbench.measure.card import Card
from workbench.measure.figures import kld_text, with_error
from workbench.measure.grade import failed_checks, gain_words, grade, size_words, speed_gain

_CHECKS = {"passed": "✓ passed", "failed": "✗ failed", "not tested": "– not tested"}


@dataclass(frozen=True, slots=True)
class Figure:
    """What stands big on a card, what stands beside it, and the tone of the first."""

    text: str
    beside: str = ""
    tone: Tone = "neutral"


def figure_of(card: Card) -> Figure:
    """The one figure that says most: a fault, the gain in speed, the size, the distance, or the speed."""
    smaller = _narrow(size_words(card))
    if failed_checks(card):
        return Figure("Broken", smaller, "bad")
    if (gain := speed_gain(card)) is not None:
        words = _narrow(gain_words(gain, "before"))
        return Figure(words[:1].upper() + words[1:], smaller)
    if smaller:
        return Figure(smaller[:1].upper() + smaller[1:])
    if card.quality is not None:
        return Figure(f"KL {kld_text(card.quality.mean_kld)}")
    alone = card.speed.alone if card.speed is not None else None
    if alone is not None:
        return Figure(show.rate(alone.tokens_per_s, "tok/s"), show.bytes(card.subject.size_bytes))
    return Figure(show.bytes(card.subject.size_bytes))


def grade_sentence(card: Card) -> tuple[str, Tone]:
    """The grade and what it rests on, and its tone; empty where there is none."""
    said = grade(card)
    if not said or said == "broken":
        return "", "neutral"
    words = said[:1].upper() + said[1:]
    if said == "lossless" and card.identity is not None:
        return f"{words}: all {card.identity.prompts} answers are the same, token by token.", "good"
    if card.quality is None:
        return f"{words}.", grade_tone(said)
    share = _narrow(with_error(card.quality.same_top * 100, card.quality.same_top_error * 100, " %"))
    return f"{words}: it picks the same next word {share} of the time.", grade_tone(said)


def made_line(card: Card) -> str:
    """When it was measured, against what, and how thoroughly: `24 Nov · quick · against X`."""
    parts = [show.date(card.conditions.made_at), f"{card.conditions.form} form"]
    if card.reference is not None:
        parts.append(f"against {card.reference.name}")
    return " · ".join(parts)


def origin_facts(card: Card) -> list[Fact]:
    """When it was measured and how thoroughly, and what it was compared with."""
    facts = [Fact("Measured", f"{show.date(card.conditions.made_at)}, {card.conditions.form} form")]
    if card.reference is not None:
        facts.append(Fact("Compared with", card.reference.name))
    return facts


def check_word(result: str) -> str:
    """The result of a parity check with its sign: `✓ passed`."""
    return _CHECKS.get(result, result)


def task_tone(verdict: str) -> Tone:
    """The colour of what a comparison showed."""
    if verdict.startswith("worse"):
        return "bad"
    return "good" if verdict.startswith("better") else "neutral"


def _narrow(text: str) -> str:
    """With the space before a unit that never breaks."""
    return text.replace(" %", "\u202f%")
