"""The small plots of a card: what was measured, laid out as shapes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

from workbench.measure.card import Histogram, Memory, Rate, Speed
from workbench.measure.card_lines import twin_of, usual_cache
from workbench.measure.card_shapes import Anchor, Bar, Dot, Label, Picture, Role, Shape, Stroke
from workbench.measure.figures import kld_text, rate_text, seconds_text, share_text, size_text, spread_text

#: Room for the axis below, for figures at the left, and above.
_FOOT, _LEFT, _TOP = 20.0, 40.0, 8.0
_LETTER = 12.0
_BAR_GAP = 1.0
#: A bar that stands for something is never lower.
_LEAST_BAR = 1.5
#: Two marks of an axis need so much between them.
_BESIDE = 70

#: Where the speed of the curve's n-th point stands.
_Place = Callable[[int, float], tuple[float, float]]


def divergence_histogram(histogram: Histogram, width: float, height: float) -> Picture:
    """How many tokens differ by how much; a logarithmic axis of KL divergences."""
    edges = _above_zero(_at_least_two(histogram.edges))
    places = [math.log10(each) for each in edges]
    decades = [each for each in range(math.ceil(places[0] - 1e-9), math.floor(places[-1] + 1e-9) + 1)]
    step = math.ceil(len(decades) / max(width // 64, 2)) if decades else 1
    marks = [(float(each), _plain(10.0**each)) for each in decades[::-1][::step]]
    total = sum(histogram.counts) or 1
    tips = [
        f"{kld_text(low)} to {kld_text(high)}: {share_text(count / total)} of the tokens"
        for (low, high), count in zip(pairwise(edges), histogram.counts, strict=False)
    ]
    told = f"How far the predictions of {total} tokens moved. " + "; ".join(
        tip for tip, count in zip(tips, histogram.counts, strict=False) if count * 20 >= total
    )
    return Picture(width, height, _bars(places, histogram.counts, tips, marks, width, height), told)


def gap_histogram(speed: Speed, width: float, height: float) -> Picture | None:
    """How long the next token took, with the median and the slowest hundredth marked; None without times."""
    edges, counts = _at_least_two(speed.gaps.edges), speed.gaps.counts
    if not counts:
        return None
    tips = [
        f"{seconds_text(low)} to {seconds_text(high)}: {count}"
        for (low, high), count in zip(pairwise(edges), counts, strict=False)
    ]
    # Where bins widen along the axis, a logarithmic one makes them even again.
    widening = min(edges) > 0 and edges[-1] - edges[-2] > 2 * (edges[1] - edges[0])
    scale = math.log10 if widening else float
    places = [scale(each) for each in edges]
    ends = (max(speed.gap_p50_s, edges[0]), max(speed.gap_p99_s, edges[0]))
    marks = [(scale(ends[0]), seconds_text(speed.gap_p50_s))]
    span = (places[-1] - places[0]) or 1.0
    if (scale(ends[1]) - scale(ends[0])) / span * width > _BESIDE:
        marks.append((scale(ends[1]), f"99 %: {seconds_text(speed.gap_p99_s)}"))
    told = (
        f"Half of the tokens came within {seconds_text(speed.gap_p50_s)} of the one before, "
        f"99 % within {seconds_text(speed.gap_p99_s)}."
    )
    return Picture(width, height, _bars(places, counts, tips, marks, width, height, lined=True), told)


def decode_by_batch(speed: Speed, before: Speed | None, width: float, height: float) -> Picture | None:
    """Tokens a second of all sequences together by their number; None where one number was measured."""
    rates = _by_batch(speed)
    if len(rates) < 2:
        return None
    others = [twin_of(each, before, "decode") for each in rates]
    most = max(*(each.high for each in (*rates, *others) if each is not None), 1e-9)
    ticks = round_ticks(most, 3)
    top = max(most, ticks[-1]) * 1.04
    right = width - 10
    step = (right - _LEFT - 20) / (len(rates) - 1)
    floor = height - _FOOT

    def place(number: int, value: float) -> tuple[float, float]:
        return _LEFT + 12 + number * step, floor - value / top * (floor - _TOP)

    shapes: list[Shape] = []
    for tick in ticks[1:]:
        y = place(0, tick)[1]
        shapes.append(Stroke(((_LEFT, y), (right, y)), "axis"))
        shapes.append(Label(_LEFT - 8, y, f"{tick:.4g}", "end"))
    shapes.append(Stroke(((_LEFT, floor), (right, floor)), "axis"))
    for number, rate in enumerate(rates):
        shapes.append(Label(place(number, 0)[0], floor + 11, str(rate.batch), "middle"))
    shapes += _curve([(n, each) for n, each in enumerate(others) if each is not None], "reference", place)
    shapes += _curve(list(enumerate(rates)), "model", place)
    told = "Tokens a second by the number of answers at once: " + ", ".join(
        f"{rate.batch}: {rate.tokens_per_s:.3g}" + (f" (reference {other.tokens_per_s:.3g})" if other else "")
        for rate, other in zip(rates, others, strict=True)
    )
    return Picture(width, height, tuple(shapes), told)


def memory_bars(memory: Memory, before: Memory | None, width: float) -> Picture:
    """Weights, keys and values, and the rest of the peak, each model a bar on one scale."""
    rows: list[tuple[str, Memory, Role]] = [("model", memory, "model")]
    if before is not None:
        rows.append(("reference", before, "reference"))
    most = max(max(each.peak, each.weights) for _, each, _ in rows) or 1
    left, right, line, bar = 70.0, 64.0, 24.0, 10.0
    scale = max(width - left - right, 1.0) / most
    shapes: list[Shape] = []
    told = []
    for number, (word, each, role) in enumerate(rows):
        middle = number * line + line / 2
        top = middle - bar / 2
        cache = usual_cache(each)
        parts = f"weights {size_text(each.weights)}"
        if cache is not None:
            parts += f", keys and values of {cache.context} tokens {size_text(cache.bytes)}"
        tip = f"{word}: {size_text(each.peak)} at the peak ({parts})"
        shapes.append(Label(0, middle, word))
        shapes.append(Bar(left, top, width - left - right, bar, "ground", "", bar / 2))
        shapes.append(Bar(left, top, max(each.peak * scale, bar), bar, role, tip, bar / 2))
        weights = left + min(each.weights, each.peak) * scale
        shapes.append(Stroke(((weights, top - 2), (weights, top + bar + 2)), "text", width=1.5))
        shapes.append(Label(width, middle, size_text(each.peak), "end", "text"))
        told.append(tip)
    return Picture(width, len(rows) * line, tuple(shapes), ". ".join(told))


def round_ticks(most: float, count: int) -> list[float]:
    """Round numbers from 0 to at most `most`, about so many steps.

    >>> round_ticks(668, 3)
    [0.0, 200.0, 400.0, 600.0]
    """
    rough = max(most, 1e-9) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * each for each in (1, 2, 5, 10) if power * each >= rough * 0.75)
    return [step * number for number in range(int(most / step + 1e-9) + 1)]


def _curve(points: Sequence[tuple[int, Rate]], role: Role, place: _Place) -> list[Shape]:
    found = [place(number, rate.tokens_per_s) for number, rate in points]
    shapes: list[Shape] = []
    for number, rate in points:
        (x, low), (_, high) = place(number, rate.low), place(number, rate.high)
        shapes.append(Stroke(((x, low), (x, high)), role))
    shapes.append(Stroke(tuple(found), role, dashed=role == "reference", width=1.8))
    for (_, rate), (x, y) in zip(points, found, strict=True):
        tip = f"{role}, batch {rate.batch}: {rate_text(rate)} ({spread_text(rate)})"
        shapes.append(Dot(x, y, role, square=role == "model", tip=tip))
    return shapes


def _bars(
    edges: Sequence[float],
    counts: Sequence[int],
    tips: Sequence[str],
    marks: Sequence[tuple[float, str]],
    width: float,
    height: float,
    *,
    lined: bool = False,
) -> tuple[Shape, ...]:
    """Bars between edges over an axis with marks; `lined` draws each mark up through the bars."""
    floor = height - _FOOT
    left, right = 2.0, width - 2.0
    span = (edges[-1] - edges[0]) or 1.0

    def at(value: float) -> float:
        return left + (min(max(value, edges[0]), edges[-1]) - edges[0]) / span * (right - left)

    highest = max(counts, default=0) or 1
    shapes: list[Shape] = []
    for (low, high), count, tip in zip(pairwise(edges), counts, tips, strict=False):
        if count:
            tall = max(count / highest * (floor - _TOP), _LEAST_BAR)
            x, end = at(low) + _BAR_GAP / 2, at(high) - _BAR_GAP / 2
            shapes.append(Bar(x, floor - tall, max(end - x, 1.0), tall, "model", tip))
    shapes.append(Stroke(((left, floor), (right, floor)), "axis"))
    for value, text in marks:
        x = at(value)
        if lined:
            shapes.append(Stroke(((x, _TOP - 4), (x, floor + 4)), "text", dashed=True))
        else:
            shapes.append(Stroke(((x, floor), (x, floor + 4)), "axis"))
        half = len(text) * _LETTER * 0.28
        anchor: Anchor = "start" if x < half else "end" if x > width - half else "middle"
        shapes.append(
            Label(0 if anchor == "start" else width if anchor == "end" else x, floor + 12, text, anchor)
        )
    return tuple(shapes)


def _by_batch(speed: Speed) -> list[Rate]:
    """One speed for each batch size: that at the shallowest depth."""
    found: dict[int, Rate] = {}
    for each in speed.decode:
        if each.batch not in found or each.tokens < found[each.batch].tokens:
            found[each.batch] = each
    return [found[batch] for batch in sorted(found)]


def _at_least_two(edges: Sequence[float]) -> Sequence[float]:
    """Edges that an axis can be drawn for; a card from elsewhere may hold none."""
    return edges if len(edges) > 1 else (0.0, 1.0)


def _above_zero(edges: Sequence[float]) -> list[float]:
    """Edges for a logarithmic axis: one at or below zero stands a decade below the next."""
    first = next((each for each in edges if each > 0), 1.0)
    return [each if each > 0 else first / 10 for each in edges]


def _plain(value: float) -> str:
    """A power of ten without an exponent, down to what is worth reading: `0.0001`, `10`, else `1e-6`."""
    return f"{value:.0e}".replace("e-0", "e-") if value < 1e-4 * 0.999 else f"{value:.5g}"
