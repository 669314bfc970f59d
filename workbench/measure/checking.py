"""Says whether the claims of a proof card hold, by the card of a new measurement."""

from __future__ import annotations

import math
from typing import Literal

from msgspec import Struct

from workbench.measure.card import Card, Figure, Metric, Quality, Rate
from workbench.measure.figures import with_error

Outcome = Literal["holds", "does not hold", "not checked"]

#: Standard errors that two measurements of the same thing may lie apart: one in 370 would by chance.
_ERRORS = 3.0
#: What other versions of an engine may round differently, as a share of the figure.
_ROUNDING = 0.02
#: Share by which a speed may differ on the same machine at another hour, beside what the intervals say.
_SPEED = 0.15


class Finding(Struct, frozen=True, kw_only=True):
    """One claim of a card, and what was found.

    Attributes:
        claim: For example `mean KL divergence`.
        outcome: `not checked` where the conditions don't allow it; `why` says so.
    """

    claim: str
    claimed: str
    found: str
    outcome: Outcome
    why: str = ""


def check_claims(claimed: Card, found: Card) -> tuple[Finding, ...]:
    """Compare a card with a new measurement of the same files.

    Distances must agree within three standard errors and two percent, since the text is the same and only
    rounding may differ; so must figures of plugins whose source is the same. Speeds are compared on the same
    machine with the same number of threads alone.
    """
    findings = [_same("model", claimed.subject.sha256, found.subject.sha256)]
    if claimed.reference is not None and found.reference is not None:
        findings.append(_same("reference", claimed.reference.sha256, found.reference.sha256))
    if claimed.quality is not None:
        findings += _quality(claimed, claimed.quality, found.quality)
    if claimed.identity is not None and claimed.identity.lossless:
        holds = found.identity is not None and found.identity.lossless
        findings.append(_finding("lossless", "identical answers", _identity(found), holds))
    findings += _speed(claimed, found)
    for metric in claimed.metrics:
        findings += _metric(metric, found)
    return tuple(findings)


def _same(claim: str, claimed: str, found: str) -> Finding:
    return _finding(f"content of the {claim}", claimed[:12], found[:12], bool(claimed) and claimed == found)


def _quality(card: Card, claimed: Quality, found: Quality | None) -> list[Finding]:
    names = {
        "mean_kld": "mean KL divergence",
        "same_top": "same next token",
        "ppl": "perplexity",
        "ppl_base": "perplexity of the reference",
    }
    if found is None or (claimed.windows, claimed.window_tokens) != (found.windows, found.window_tokens):
        why = f"It was measured on {claimed.windows} windows of {card.conditions.text or 'a text'}."
        return [
            Finding(
                claim=title, claimed=f"{getattr(claimed, name):.4g}", found="", outcome="not checked", why=why
            )
            for name, title in names.items()
        ]
    made = []
    for name, title in names.items():
        one, other = float(getattr(claimed, name)), float(getattr(found, name))
        error = math.hypot(getattr(claimed, f"{name}_error"), getattr(found, f"{name}_error"))
        holds = abs(one - other) <= _ERRORS * error + _ROUNDING * max(abs(one), abs(other))
        made.append(_finding(title, f"{one:.4g}", f"{other:.4g}", holds))
    return made


def _speed(claimed: Card, found: Card) -> list[Finding]:
    if claimed.speed is None or claimed.speed.alone is None:
        return []
    one = claimed.speed.alone
    other = found.speed.alone if found.speed is not None else None
    before, now = claimed.conditions, found.conditions
    why = ""
    if before.machine != now.machine:
        why = f"It was measured on another machine: {before.machine}."
    elif before.threads != now.threads:
        why = f"It was measured with {before.threads} threads, not {now.threads}."
    elif other is None:
        why = "The speed could not be measured here."
    if why or other is None:
        return [
            Finding(
                claim="decode speed",
                claimed=f"{one.tokens_per_s:.4g} tok/s",
                found="",
                outcome="not checked",
                why=why,
            )
        ]
    return [
        _finding(
            "decode speed",
            f"{one.tokens_per_s:.4g} tok/s",
            f"{other.tokens_per_s:.4g} tok/s",
            _overlap(one, other),
        )
    ]


def _metric(claimed: Metric, card: Card) -> list[Finding]:
    """A plugin's figure of the model, and that of the reference."""
    nothing = Metric(name=claimed.name, title=claimed.title, problem="no plugin here offers it")
    found = next((each for each in card.metrics if each.key == claimed.key), nothing)
    why = ""
    if found.problem:
        why = f"It could not be measured here: {found.problem}."
    elif found.sha256 != claimed.sha256:
        why = "The plugin's source is not that of the card."
    pairs = (
        (claimed.title, claimed.figure, found.figure),
        (f"{claimed.title}, of the reference", claimed.reference, found.reference),
    )
    return [_figure(title, one, other, claimed.unit, why) for title, one, other in pairs if one is not None]


def _figure(title: str, one: Figure, other: Figure | None, unit: str, why: str) -> Finding:
    said = [
        with_error(each.value, each.error, f" {unit}".rstrip()) for each in (one, other) if each is not None
    ]
    if why or other is None:
        why = why or "It was not measured here."
        return Finding(claim=title, claimed=said[0], found="", outcome="not checked", why=why)
    near = _ERRORS * math.hypot(one.error, other.error) + _ROUNDING * max(abs(one.value), abs(other.value))
    return _finding(title, said[0], said[1], abs(one.value - other.value) <= near)


def _overlap(one: Rate, other: Rate) -> bool:
    return other.high * (1 + _SPEED) >= one.low and one.high * (1 + _SPEED) >= other.low


def _identity(card: Card) -> str:
    found = card.identity
    return "not measured" if found is None else f"{found.identical} of {found.prompts} identical"


def _finding(claim: str, claimed: str, found: str, holds: bool) -> Finding:
    return Finding(claim=claim, claimed=claimed, found=found, outcome="holds" if holds else "does not hold")
