"""The way from the original to one model, step by step: what each change made faster, and its price."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from ui.models.compare_variants import Comparison
from workbench.measure.card import Card, Conditions, Speed, Subject, comparable
from workbench.measure.figures import kld_text
from workbench.model import FORMAT_TITLES

#: Cards by the content hash of the model that they are about, newest first.
Cards = Mapping[str, Sequence[Card]]


@dataclass(frozen=True, slots=True)
class Step:
    """One measured change.

    Attributes:
        variant: The place of the model that it led to; None where that is none of the compared ones.
        title: What was changed.
        price: What it cost, in a few words.
        lossless: Whether greedy answers are identical; None where nothing was changed that could cost any.
        speed: Tokens a second afterwards; of all answers together in the last step.
        factor: Of the speed before this step.
        total: Of the speed at the start.
    """

    variant: int | None
    title: str
    price: str
    lossless: bool | None
    speed: float
    factor: float
    total: float


def steps_to(comparison: Comparison, target: int, cards: Cards) -> tuple[Step, ...]:
    """The steps to the model in a place and then to its largest batch; empty where no change was measured.

    A card names what its model was compared with, which as a rule is what it was made from; the card of that
    names what came before, and so on to the start.

    Args:
        cards: All that are known, also of models that are not compared.
    """
    way = _way(comparison.variants[target].card, cards)
    first = way[0]
    if first.reference is None or (start := _alone(first.reference_speed)) is None:
        return ()
    engine = first.conditions.reference_engine or first.conditions.engine
    title, price = _title(comparison, first.reference), _engine_name(engine)
    found = [Step(_place(comparison, first.reference), title, price, None, start, 1.0, 1.0)]
    for card in way:
        speed = _alone(card.speed)
        if speed is None:
            continue
        lossless = bool(card.identity and card.identity.lossless)
        factor = speed / found[-1].speed
        title, name = _title(comparison, card.subject), _engine_name(card.conditions.engine)
        if name != _engine_name(engine):
            title = f"{title}, {name}"
        engine = card.conditions.engine
        price = _with_direction(_price(card, lossless), factor)
        place = _place(comparison, card.subject)
        found.append(Step(place, title, price, lossless, speed, factor, speed / start))
    if len(found) == 1:
        return ()
    return (*found, *_batch(way[-1], found[-1], start))


def _way(card: Card, cards: Cards) -> list[Card]:
    """The cards from the first change to a model's own."""
    way, seen = [card], {card.subject.sha256}
    while card.reference is not None and card.reference.sha256 not in seen:
        seen.add(card.reference.sha256)
        before = next(
            (
                each
                for each in cards.get(card.reference.sha256, ())
                if each.reference is not None and _same_machine(each.conditions, card.conditions)
            ),
            None,
        )
        if before is None:
            break
        card = before
        way.append(card)
    return way[::-1]


def _same_machine(one: Conditions, other: Conditions) -> bool:
    """Whether two speeds can be compared, for which the text does not matter."""
    return not comparable(one, msgspec.structs.replace(other, text_sha256=one.text_sha256))


def _batch(card: Card, before: Step, start: float) -> tuple[Step, ...]:
    """What answering several at once adds; the model stays what it is."""
    largest = max(card.speed.decode, key=lambda each: each.batch, default=None) if card.speed else None
    if largest is None or largest.batch < 2 or largest.tokens_per_s <= 0:
        return ()
    factor = largest.tokens_per_s / before.speed
    title, price = f"{largest.batch} answers at once", _with_direction("same model", factor)
    total = largest.tokens_per_s / start
    return (Step(before.variant, title, price, None, largest.tokens_per_s, factor, total),)


def _alone(speed: Speed | None) -> float | None:
    rate = speed.alone if speed is not None else None
    return rate.tokens_per_s if rate is not None and rate.tokens_per_s > 0 else None


def _place(comparison: Comparison, subject: Subject) -> int | None:
    hashes = [each.card.subject.sha256 for each in comparison.variants]
    return hashes.index(subject.sha256) if subject.sha256 in hashes else None


def _title(comparison: Comparison, subject: Subject) -> str:
    """What the page calls a model; one that it does not show by its type and format: `BF16 safetensors`."""
    place = _place(comparison, subject)
    if place is not None:
        return comparison.variants[place].label
    formats = {str(key): title for key, title in FORMAT_TITLES.items()}
    words = (subject.quantization, formats.get(subject.format, subject.format))
    return " ".join(word for word in words if word) or subject.name


def _price(card: Card, lossless: bool) -> str:
    if lossless:
        return "lossless"
    return f"KL {kld_text(card.quality.mean_kld)}" if card.quality is not None else "price not measured"


def _with_direction(price: str, factor: float) -> str:
    # Colour alone must not say it.
    return f"{price}, slower" if factor < 1 else price


def _engine_name(engine: str) -> str:
    """An engine without its version: `llama.cpp`."""
    return engine.partition(" ")[0] or "the original"
