"""A proof card as Markdown, for the model card that goes with a model."""

from __future__ import annotations

import re
from collections.abc import Sequence

from workbench.measure.card import Card, sealed
from workbench.measure.card_lines import (
    Line,
    condition_lines,
    main_lines,
    metric_line,
    quality_lines,
    speed_lines,
    task_line,
    unmeasured_lines,
)
from workbench.measure.grade import headline

#: What Markdown, or the HTML in it, would take for more than text.
_SPECIAL = re.compile(r"([\\`*_\[\]<>|~&]|^[#+-]|:(?=//))")
#: Signs that write nothing but change how what follows is shown or read.
_INVISIBLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+")


def markdown(card: Card) -> str:
    """A heading, the headline, one table of figures, and under what they were measured."""
    card = sealed(card)
    against = f" against {plain(card.reference.name)}" if card.reference is not None else ""
    parts = [f"## Proof of {plain(card.subject.name)}{against}", f"**{plain(headline(card))}**"]
    lines = [*_of_quality(card), *speed_lines(card), *(task_line(each) for each in card.tasks)]
    if lines:
        parts.append(_table(("", "this model", "reference"), lines))
    if missing := unmeasured_lines(card):
        parts.append("\n".join(f"- {plain(each)}" for each in missing))
    if card.parity:
        found = [
            f"{each.name}: {each.result}" + (f" ({each.finding})" if each.finding else "")
            for each in card.parity
        ]
        parts.append("Parity checks:\n\n" + "\n".join(f"- {plain(each)}" for each in found))
    said = "; ".join(f"{line.label} {line.value}" for line in condition_lines(card.conditions))
    parts.append(f"Conditions: {plain(said)}.")
    parts.append(f"Model sha256 `{_hex(card.subject.sha256)}`, seal of the card `{_hex(card.seal)}`.")
    return "\n\n".join(parts) + "\n"


def plain(text: str) -> str:
    """Text that Markdown shows as it is, on one line.

    >>> plain("a|b <img src=x> _c_")
    'a\\\\|b \\\\<img src=x\\\\> \\\\_c\\\\_'
    """
    return _SPECIAL.sub(r"\\\1", _INVISIBLE.sub(" ", text)).strip()


def _of_quality(card: Card) -> Sequence[Line]:
    """The figures of the distance in full, and what the main ones tell beyond it."""
    if card.quality is None:
        return main_lines(card)
    beyond = [line for line in main_lines(card) if line.label in ("identical answers", "memory at its peak")]
    return [*quality_lines(card.quality), *beyond, *map(metric_line, card.metrics)]


def _table(head: Sequence[str], lines: Sequence[Line]) -> str:
    rows = [f"| {' | '.join(head)} |", "| --- | ---: | ---: |"]
    rows += [f"| {plain(line.label)} | {plain(line.value)} | {plain(line.reference)} |" for line in lines]
    return "\n".join(rows)


def _hex(text: str) -> str:
    """A hash, and nothing that could leave the code span."""
    return "".join(sign for sign in text if sign.isalnum()) or "unknown"
