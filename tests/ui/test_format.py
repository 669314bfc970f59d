"""Figures as a person reads them."""

from __future__ import annotations

import doctest
import time
from datetime import datetime

import pytest

from ui import format


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (None, "—"),
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (98_423_000, "98.4 MB"),
        (105_450_000, "105 MB"),
        (999_600_000, "1 GB"),
        (4_634_000_000, "4.6 GB"),
        (61_380_000_000, "61.4 GB"),
        (2_000_000_000_000, "2 TB"),
    ],
)
def test_sizes_have_three_digits_at_most(size: int | None, text: str) -> None:
    assert _plain(format.bytes(size)) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (None, "—"),
        (41, "41"),
        (8192, "8 192"),
        (151_936, "151 936"),
        (134_515_008, "135 M"),
        (8.03e9, "8.03 B"),
    ],
)
def test_counts_are_written_out_below_a_million(number: float | None, text: str) -> None:
    assert _plain(format.count(number)) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "—"),
        (0, "0 s"),
        (0.0004, "1 ms"),
        (0.85, "850 ms"),
        (0.9996, "1 s"),
        (1.234, "1.2 s"),
        (9.96, "10 s"),
        (59.6, "1 min"),
        (90, "1 min 30 s"),
        (600, "10 min"),
        (3599, "1 h"),
        (7800, "2 h 10 min"),
        (86_400 * 3 + 4 * 3600, "3 d 4 h"),
        (float("inf"), "—"),
    ],
)
def test_durations_are_as_exact_as_is_useful(seconds: float | None, text: str) -> None:
    assert _plain(format.duration(seconds)) == text


def test_rates_carry_their_unit() -> None:
    assert _plain(format.rate(129.3, "tok/s")) == "129 tok/s"
    assert _plain(format.rate(0.712, "")) == "0.712"
    assert _plain(format.rate(1_240_000, "B/s")) == "1.2 MB/s"
    assert _plain(format.rate(12_345, "tok/s")) == "12 345 tok/s"


def test_dates_are_told_from_today() -> None:
    now = datetime(2026, 3, 10, 15, 0).timestamp()

    assert format.date(datetime(2026, 3, 10, 9, 5).timestamp(), now) == "today, 09:05"
    assert format.date(datetime(2026, 3, 9, 23, 59).timestamp(), now) == "yesterday"
    assert format.date(datetime(2026, 1, 4, 12, 0).timestamp(), now) == "4 Jan"
    assert format.date(datetime(2025, 11, 24, 12, 0).timestamp(), now) == "24 Nov 2025"
    assert format.date(time.time()).startswith("today")


def test_a_figure_and_its_unit_are_never_parted() -> None:
    for text in (format.bytes(5e6), format.duration(41), format.rate(3, "tok/s"), format.percent(0.5)):
        assert " " not in text


def test_the_examples_in_the_docstrings_hold() -> None:
    from ui import fuzzy

    assert doctest.testmod(format).failed == 0
    assert doctest.testmod(fuzzy).failed == 0


def _plain(text: str) -> str:
    return text.replace("\u202f", " ").replace("\u2009", " ")
