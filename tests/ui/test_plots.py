"""Plots of a job's series against time."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage
from pytestqt.qtbot import QtBot

from ui.plots import CurveSpec, TimePlot, link
from ui.theme import Theme
from ui.widgets.plot_curve import CurvePoints
from workbench.errors import WorkbenchError

START = 1_700_000_000.0


@pytest.fixture
def plot(qtbot: QtBot) -> TimePlot:
    return _plot(qtbot, "Memory", "B", CurveSpec("rss_bytes", "Process memory", "B", filled=True))


def test_a_long_series_is_drawn_with_a_few_points_per_pixel_and_keeps_its_peaks() -> None:
    points = CurvePoints()
    t = START + np.arange(1_000_000) * 0.0036
    v = np.sin(np.arange(1_000_000) / 1e4)
    v[654_321] = 9.0

    points.replace(t, v)
    drawn_t, drawn_v = points.drawn(START, START + 3600, 800)

    assert 800 <= len(drawn_t) <= 4 * 800
    assert drawn_v.max() == 9.0
    assert drawn_v.min() == v.min()
    assert np.all(np.diff(drawn_t) >= 0)


def test_an_interruption_is_a_gap_in_the_line() -> None:
    points = CurvePoints()
    t = START + np.concatenate([np.arange(0, 60, 0.5), np.arange(300, 360, 0.5)])

    points.replace(t, np.ones(len(t)))
    _, drawn = points.drawn(START, START + 360, 400)

    assert points.breaks == [120]
    assert int(np.isnan(drawn).sum()) == 1
    assert points.at(START + 150) is None
    assert points.at(START + 59.6) == (START + 59.5, 1.0)


def test_gaps_are_found_in_what_is_added_later_too() -> None:
    t = START + np.concatenate([np.arange(0, 300, 0.5), np.arange(900, 1000, 0.5)])
    v = np.arange(len(t), dtype=float)
    points = CurvePoints()

    for end in range(1, len(t) + 1, 37):
        points.replace(t[:end], v[:end])

    whole = CurvePoints()
    whole.replace(t, v)
    assert points.breaks == whole.breaks == [600]


def test_zooming_shows_every_point_and_lines_reach_the_edges() -> None:
    points = CurvePoints()
    t = START + np.arange(100_000) * 0.5

    points.replace(t, np.arange(100_000, dtype=float))
    drawn_t, drawn_v = points.drawn(START + 1000.2, START + 1010.2, 600)

    assert drawn_v.tolist() == list(range(2000, 2022))
    assert drawn_t[0] <= START + 1000.2
    assert drawn_t[-1] >= START + 1010.2


def test_bytes_are_read_in_the_unit_that_suits_them(plot: TimePlot) -> None:
    t, v = _series(60, 1.5e9)

    plot.set_points("rss_bytes", t, v)
    plot.redraw()

    assert plot._value_axis.unit_shown == "GB"
    assert plot._time_axis.unit_shown == "seconds"
    plot.set_points("rss_bytes", *_series(4000, 2.5e6))
    plot.redraw()
    assert plot._value_axis.unit_shown == "MB"
    assert plot._time_axis.unit_shown == "minutes"


def test_new_points_are_drawn_without_a_call_per_point(plot: TimePlot, qtbot: QtBot) -> None:
    t, v = _series(300, 1e9)
    plot.set_points("rss_bytes", t[:100], v[:100])
    qtbot.waitUntil(lambda: plot.extent()[1] > 40)
    before = plot.frames

    for end in range(101, 600):
        plot.set_points("rss_bytes", t[:end], v[:end])
    qtbot.waitUntil(lambda: plot.frames > before)

    assert plot.frames - before < 20
    assert plot.extent()[1] == pytest.approx(299.0, abs=1.0)


def test_the_crosshair_reads_all_linked_plots_at_one_moment(plot: TimePlot, qtbot: QtBot) -> None:
    other = _plot(qtbot, "Throughput", "tok/s", CurveSpec("throughput", "Throughput", "tok/s"))
    link(plot, other)
    t, v = _series(60, 2e9)
    plot.set_points("rss_bytes", t, v)
    other.set_points("throughput", t, np.full(len(t), 129.0))

    plot.show_cursor(30.0)
    plot.hovered.emit(30.0)

    assert "129" in other.accessibleDescription()
    assert "2" in plot.accessibleDescription()
    assert "GB" in plot.accessibleDescription()


def test_keys_zoom_pan_and_show_everything_again(plot: TimePlot, qtbot: QtBot) -> None:
    plot.set_points("rss_bytes", *_series(100, 1e9))
    plot.redraw()
    whole = plot.shown_range()

    qtbot.keyClick(plot, Qt.Key.Key_Plus)
    zoomed = plot.shown_range()
    qtbot.keyClick(plot, Qt.Key.Key_Right)
    panned = plot.shown_range()
    qtbot.keyClick(plot, Qt.Key.Key_Home)

    assert zoomed[1] - zoomed[0] == pytest.approx(0.7 * (whole[1] - whole[0]))
    assert panned[0] > zoomed[0]
    assert plot.shown_range() == whole


def test_a_chosen_range_is_kept_while_points_arrive(plot: TimePlot) -> None:
    t, v = _series(200, 1e9)
    plot.set_points("rss_bytes", t[:200], v[:200])
    plot.show_range((10.0, 20.0))

    plot.set_points("rss_bytes", t, v)
    plot.redraw()

    assert plot.shown_range() == (10.0, 20.0)


def test_the_picture_is_saved_at_twice_the_size(plot: TimePlot, tmp_path: Path, qtbot: QtBot) -> None:
    plot.set_points("rss_bytes", *_series(60, 1e9))
    plot.redraw()

    with qtbot.waitSignal(plot.saved):
        plot.save_picture(tmp_path / "memory.png")

    image = QImage(str(tmp_path / "memory.png"))
    assert image.size() == plot.size() * 2


def test_every_point_is_saved_as_csv(plot: TimePlot, tmp_path: Path, qtbot: QtBot) -> None:
    t, v = _series(20_000, 1e9)
    plot.set_points("rss_bytes", t, v)

    with qtbot.waitSignal(plot.saved, timeout=10_000):
        plot.save_points(tmp_path / "memory.csv")

    with (tmp_path / "memory.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["series", "seconds", "value", "unit"]
    assert len(rows) == len(t) + 1
    assert rows[1] == ["rss_bytes", "0.000", repr(v[0].item()), "B"]
    assert [each.name for each in tmp_path.iterdir()] == ["memory.csv"]


def test_a_folder_that_is_not_there_is_explained(plot: TimePlot, tmp_path: Path, qtbot: QtBot) -> None:
    plot.set_points("rss_bytes", *_series(60, 1e9))

    with qtbot.waitSignals([plot.failed, plot.failed]) as blocker:
        plot.save_points(tmp_path / "missing" / "memory.csv")
        plot.save_picture(tmp_path / "missing" / "memory.png")

    assert all(isinstance(event.args[0], WorkbenchError) for event in blocker.all_signals_and_args)


def _plot(qtbot: QtBot, title: str, unit: str, *curves: CurveSpec) -> TimePlot:
    made = TimePlot(Theme(), title, unit)
    qtbot.addWidget(made)
    made.set_curves(curves)
    made.set_origin(START)
    made.resize(600, 260)
    made.show()
    return made


def _series(seconds: int, level: float) -> tuple[np.ndarray, np.ndarray]:
    t = START + np.arange(0, seconds, 0.5)
    return t, level * (1 + 0.01 * np.sin(np.arange(len(t))))


def test_a_plot_without_points_says_so_in_its_middle_and_has_no_numbers(qtbot: QtBot) -> None:
    plot = _plot(qtbot, "Throughput", "tok/s", CurveSpec("tokens", "Tokens", "tok/s"))
    plot.resize(600, 300)
    plot.show()
    qtbot.waitUntil(lambda: plot._empty.geometry() == plot._canvas.rect())

    assert plot._empty.isVisible()
    assert not plot._value_axis.style["showValues"]

    plot.set_points("tokens", *_series(20, 5.0))
    plot.redraw()

    assert not plot._empty.isVisible()
    assert plot._value_axis.style["showValues"]
