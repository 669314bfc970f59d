"""The way from the original to one model, step by step: what each change made faster, and its price."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ui import format as show
from ui.models.compare_variants import Comparison, Variant


@dataclass(frozen=True, slots=True)
class Step:
    """One measured change.

    Attributes:
        variant: The place of the model that it led to.
        title: What was changed.
        price: What it cost, in a few words.
        lossless: Whether greedy answers are identical; None where nothing was changed that could cost any.
        speed: Tokens a second afterwards; of all answers together in the last step.
        factor: Of the speed before this step.
        total: Of the speed at the start.
    """

    variant: int
    title: str
    price: str
    lossless: bool | None
    speed: float
    factor: float
    total: float


def steps_to(comparison: Comparison, target: int, parents: Mapping[str, str | None]) -> tuple[Step, ...]:
    """The steps from the reference to the model in a place, and then to its largest batch; empty where it is
    the reference, or where the speed of either was not measured.

    Args:
        parents: Of each model of the library, by its id, the id of what it was made from.
    """
    places = _way(comparison, target, parents)
    speeds = [_alone(comparison.variants[place]) for place in places]
    start = speeds[0] if speeds else None
    if start is None or speeds[-1] is None or len(places) < 2:
        return ()
    first = comparison.variants[places[0]]
    found = [Step(places[0], first.label, _engine(first), None, start, 1.0, 1.0)]
    for place, speed in zip(places[1:], speeds[1:], strict=True):
        if speed is None:
            continue
        variant = comparison.variants[place]
        lossless = bool(variant.card.identity and variant.card.identity.lossless)
        factor = speed / found[-1].speed
        price = _with_direction(_price(variant, lossless), factor)
        found.append(Step(place, variant.label, price, lossless, speed, factor, speed / start))
    return (*found, *_batch(comparison.variants[target], target, found[-1].speed, start))


def _way(comparison: Comparison, target: int, parents: Mapping[str, str | None]) -> list[int]:
    """The places from the reference to the target, through the compared models that lie between."""
    variants = comparison.variants
    reference = next((place for place, each in enumerate(variants) if each.is_reference), None)
    if reference is None or reference == target:
        return []
    place_of = {each.model_id: place for place, each in enumerate(variants) if each.model_id is not None}
    way, seen = [target], {variants[target].model_id}
    id = variants[target].model_id
    while id is not None and (id := parents.get(id)) is not None and id not in seen:
        seen.add(id)
        if id in place_of and place_of[id] != reference:
            way.append(place_of[id])
    return [reference, *reversed(way)]


def _batch(variant: Variant, place: int, before: float, start: float) -> tuple[Step, ...]:
    """What answering several at once adds; the model stays what it is."""
    speed = variant.card.speed
    largest = max(speed.decode, key=lambda each: each.batch, default=None) if speed is not None else None
    if largest is None or largest.batch < 2 or largest.tokens_per_s <= 0:
        return ()
    factor = largest.tokens_per_s / before
    title = f"{largest.batch} answers at once"
    price = _with_direction("same model", factor)
    return (Step(place, title, price, None, largest.tokens_per_s, factor, largest.tokens_per_s / start),)


def _alone(variant: Variant) -> float | None:
    decode = variant.decode
    return decode.tokens_per_s if decode is not None and decode.tokens_per_s > 0 else None


def _price(variant: Variant, lossless: bool) -> str:
    if lossless:
        return "lossless"
    return f"KL {show.number(variant.kld)}" if variant.kld is not None else "price not measured"


def _with_direction(price: str, factor: float) -> str:
    # Colour alone must not say it.
    return f"{price}, slower" if factor < 1 else price


def _engine(variant: Variant) -> str:
    """The engine's name without its version: `llama.cpp`."""
    name = variant.card.conditions.reference_engine or variant.card.conditions.engine
    return name.partition(" ")[0] or "the original"
