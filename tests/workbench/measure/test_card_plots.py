"""The small plots: shapes that stand where their figures say, on axes that suit them."""

from __future__ import annotations

from itertools import pairwise

import pytest
from msgspec.structs import replace

from tests.workbench.measure import cards
from workbench.measure.card import Histogram, Speed
from workbench.measure.card_plots import decode_by_batch, divergence_histogram, gap_histogram, memory_bars
from workbench.measure.card_shapes import Bar, Dot, Label, Picture

WIDTH, HEIGHT = 400.0, 120.0


def shapes(picture: Picture | None, kind: type) -> list:
    assert picture is not None
    return [each for each in picture.shapes if isinstance(each, kind)]


def test_bars_of_a_histogram_grow_with_their_counts_and_stand_beside_each_other() -> None:
    bars = shapes(divergence_histogram(cards.quality(0.04).histogram, WIDTH, HEIGHT), Bar)

    assert [round(bar.height / bars[2].height, 2) for bar in bars] == [0.1, 0.7, 1.0, 0.25]
    assert all(left.x + left.width <= right.x for left, right in pairwise(bars))
    # A decade is as wide as any other: the axis is logarithmic.
    assert max(bar.width for bar in bars) == pytest.approx(min(bar.width for bar in bars))
    assert bars[-1].x + bars[-1].width <= WIDTH


def test_first_bin_may_begin_at_nothing() -> None:
    picture = divergence_histogram(Histogram(edges=(0.0, 0.001, 1.0), counts=(5, 5)), WIDTH, HEIGHT)

    assert len(shapes(picture, Bar)) == 2
    assert "50 % of the tokens" in picture.told


@pytest.mark.parametrize(
    "edges", [(0.01, 0.02, 0.03, 0.04), (0.001, 0.01, 0.1, 1.0)], ids=["even", "decades"]
)
def test_bins_of_times_are_as_wide_as_each_other_whatever_their_scale(edges: tuple[float, ...]) -> None:
    gaps = Histogram(edges=edges, counts=(1, 2, 3))
    speed = replace(cards.speeds(100.0), gaps=gaps, gap_p50_s=edges[1], gap_p99_s=edges[2])

    bars = shapes(gap_histogram(speed, WIDTH, HEIGHT), Bar)

    assert max(bar.width for bar in bars) == pytest.approx(min(bar.width for bar in bars))
    marks = [each.text for each in shapes(gap_histogram(speed, WIDTH, HEIGHT), Label)]
    assert marks[1].startswith("99 %: ")


def test_times_that_were_not_measured_are_not_drawn() -> None:
    speed = replace(cards.speeds(100.0), gaps=Histogram(edges=(), counts=()))

    assert gap_histogram(speed, WIDTH, HEIGHT) is None


def test_faster_model_stands_above_its_reference_at_every_batch() -> None:
    picture = decode_by_batch(cards.speeds(167.0), cards.speeds(107.0), WIDTH, HEIGHT)

    dots = shapes(picture, Dot)
    model = [dot for dot in dots if dot.role == "model"]
    reference = [dot for dot in dots if dot.role == "reference"]
    assert len(model) == len(reference) == 3
    assert all(fast.y < slow.y and fast.x == slow.x for fast, slow in zip(model, reference, strict=True))
    assert all(dot.square for dot in model)
    assert not any(dot.square for dot in reference)
    assert all(0 <= dot.y <= HEIGHT for dot in dots)


def test_one_batch_is_no_curve() -> None:
    speed: Speed = cards.speeds(167.0)

    assert decode_by_batch(replace(speed, decode=speed.decode[:1]), None, WIDTH, HEIGHT) is None


def test_reference_without_the_same_batches_is_left_out() -> None:
    other = cards.speeds(107.0)
    other = replace(other, decode=other.decode[:1])

    picture = decode_by_batch(cards.speeds(167.0), other, WIDTH, HEIGHT)

    assert len([dot for dot in shapes(picture, Dot) if dot.role == "reference"]) == 1


def test_memory_bars_share_one_scale() -> None:
    picture = memory_bars(cards.memory("Q4_K_M"), cards.memory("F16"), WIDTH)

    model, reference = (bar for bar in shapes(picture, Bar) if bar.tip)
    assert model.width / reference.width == pytest.approx(225 / 391)
    assert "weights 105 MB" in picture.told
