"""The sweeps: live as their file grows, sorted, pointed at, and opened, all by the keyboard too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QImage, QPainter
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from ui.context import AppContext
from ui.models.sweep_axes import axes_of, goodness
from ui.panels.shell.quitting import ask_to_stop
from ui.panels.sweeps.dialog import SweepsDialog
from ui.theme import Theme
from ui.tokens import DARK, LIGHT
from ui.window import MainWindow
from workbench.cluster.sweep_file import Plan, Sweep, Trial, Turn
from workbench.cluster.sweep_space import Dimension
from workbench.cluster.sweep_start import SweepStarter
from workbench.home import Home

DIMENSIONS = (
    Dimension(name="rank", values=(4, 16, 8)),
    Dimension(name="rate", low=1e-5, high=1e-1, log=True),
    Dimension(name="schedule", values=("cosine", "linear")),
)
VALUES: tuple[dict[str, Any], ...] = (
    {"rank": 4, "rate": 1e-5, "schedule": "cosine"},
    {"rank": 16, "rate": 1e-1, "schedule": "linear"},
    {"rank": 8, "rate": 1e-3, "schedule": "linear"},
)


@pytest.fixture
def sweep(home: Home) -> Sweep:
    """Three trials, of which the second is done and nothing is known of the others."""
    made = Sweep(home.root / "sweeps" / "20260101-000000-aaaa")
    made.write(
        Plan(
            t=0,
            title="Fine-tune: tiny",
            operation="finetune-torch",
            model="tiny",
            dimensions=DIMENSIONS,
            values=VALUES,
            specs=({}, {}, {}),
            metric="loss",
            mode="min",
        )
    )
    made.write(Trial(t=1, number=1, state="done", job="job-b", value=2.0, figures={"seconds": 90.0}))
    made.read()
    return made


@pytest.fixture
def dialog(home: Home, theme: Theme, qtbot: QtBot) -> Iterator[SweepsDialog]:
    made = SweepsDialog(theme, home, SweepStarter(home))
    with qtbot.waitExposed(made):
        made.show()
    yield made
    made.hide()
    made.deleteLater()


def shown(dialog: SweepsDialog, column: int) -> list[str]:
    model = dialog.table
    return [str(model.index(row, column).data()) for row in range(model.rowCount())]


def test_a_trial_that_ends_appears_while_the_dialog_is_open(sweep: Sweep, dialog: SweepsDialog) -> None:
    assert shown(dialog, 0) == ["2", "1", "3"]
    assert "trial 2" in dialog.chart.accessibleDescription()

    sweep.write(Trial(t=2, number=2, state="done", job="job-c", value=1.0, figures={"seconds": 30.0}))
    sweep.write(Turn(t=3, state="done"))
    dialog.look()

    assert shown(dialog, 0) == ["3", "2", "1"]
    assert shown(dialog, 4) == ["1", "2", "—"]
    assert "the best is trial 3 with rank 8, rate 0.001, schedule linear" in (
        dialog.chart.accessibleDescription()
    )


def test_a_sweep_that_begins_leaves_the_one_that_is_looked_at(
    sweep: Sweep, dialog: SweepsDialog, home: Home
) -> None:
    assert sweep.plan is not None
    later = Sweep(home.root / "sweeps" / "20270101-000000-bbbb")
    later.write(sweep.plan)

    dialog.look()

    assert dialog.chooser.count() == 2
    current = dialog.current()
    assert current is not None and current.id == sweep.id


def test_a_sweep_at_work_is_stopped_and_one_that_was_killed_is_resumed(
    sweep: Sweep, dialog: SweepsDialog, qtbot: QtBot
) -> None:
    sweep.write(Turn(t=3, state="running"))
    with sweep.lock().acquire(timeout=0):
        dialog.look()
        assert "at work" in dialog._state.text() and dialog.act_button.text() == "Stop"

        qtbot.mouseClick(dialog.act_button, Qt.MouseButton.LeftButton)

        assert sweep.stop_file.exists()
        assert "stopping" in dialog._state.text() and not dialog.act_button.isEnabled()

    dialog.look()
    assert "interrupted" in dialog._state.text()
    assert dialog.act_button.text() == "Resume" and dialog.act_button.isEnabled()


def test_a_window_that_stops_its_jobs_stops_the_sweeps_that_submit_them(
    sweep: Sweep, context: AppContext
) -> None:
    sweep.write(Turn(t=3, state="running"))

    ask_to_stop(context.session, ())
    assert not sweep.stop_file.exists()
    with sweep.lock().acquire(timeout=0):
        ask_to_stop(context.session, ())

    assert sweep.stop_file.exists()


def test_a_long_list_names_only_some_of_its_values() -> None:
    many = Dimension(name="many", values=tuple(range(40)))
    values = tuple({"many": each} for each in range(40))
    plan = Plan(
        t=0,
        title="",
        operation="",
        model="",
        dimensions=(many,),
        values=values,
        specs=(),
        metric="m",
        mode="min",
    )

    axis, _metric = axes_of(plan, [])

    assert 8 <= len(axis.ticks) <= 12 and axis.share(39) == 1


def test_why_a_sweep_and_a_trial_failed_can_be_read(sweep: Sweep, dialog: SweepsDialog) -> None:
    sweep.write(Trial(t=2, number=0, state="failed", job="job-a", reason="There is no memory."))
    sweep.write(Turn(t=3, state="failed", reason="Ray is not installed."))
    dialog.look()

    dialog.view.selectRow(dialog.table.row_of(0))

    assert dialog.trouble.isVisible() and "Ray is not installed" in dialog.trouble.accessibleName()
    assert dialog._reason.isVisible() and "no memory" in dialog._reason.text()
    assert "1 failed" in dialog._state.text()


def test_sorting_keeps_the_chosen_trial_and_puts_the_unknown_last(sweep: Sweep, dialog: SweepsDialog) -> None:
    sweep.write(Trial(t=2, number=0, state="stopped", job="job-a", value=3.0))
    dialog.look()
    dialog.view.selectRow(dialog.table.row_of(0))

    for order, expected in (("Ascending", ["2", "1", "3"]), ("Descending", ["1", "2", "3"])):
        dialog.view.sortByColumn(4, getattr(Qt.SortOrder, f"{order}Order"))

        assert shown(dialog, 0) == expected
        chosen = dialog.table.trial(dialog.view.currentIndex().row())
        assert chosen is not None and chosen.number == 0


def test_enter_opens_the_job_of_a_trial(sweep: Sweep, dialog: SweepsDialog, qtbot: QtBot) -> None:
    dialog.view.setFocus()
    dialog.view.selectRow(0)

    with qtbot.waitSignal(dialog.job_wanted) as asked:
        QTest.keyClick(dialog.view, Qt.Key.Key_Return)

    assert asked.args == ["job-b"]


def test_a_line_that_is_pointed_at_is_the_trial(sweep: Sweep, dialog: SweepsDialog, qtbot: QtBot) -> None:
    chart = dialog.chart
    middle = chart.width() // 2
    found = [y for y in range(chart.height()) if chart.trial_at(QPointF(middle, y)) == 1]

    with qtbot.waitSignal(chart.chosen) as asked:
        QTest.mouseClick(chart, Qt.MouseButton.LeftButton, pos=QPoint(middle, found[len(found) // 2]))

    assert asked.args == [1]
    chosen = dialog.table.trial(dialog.view.currentIndex().row())
    assert chosen is not None and chosen.number == 1


def test_where_values_lie_on_their_axes(sweep: Sweep) -> None:
    assert sweep.plan is not None
    rank, rate, schedule, metric = axes_of(sweep.plan, sweep.trials)

    assert [rank.share(each) for each in (4, 8, 16)] == [0, 0.5, 1]
    low, middle, high = (rate.share(each) or 0.0 for each in (1e-5, 1e-3, 1e-1))
    assert middle == pytest.approx((low + high) / 2)
    assert [schedule.share(each) for each in ("cosine", "linear", "other")] == [0, 1, None]
    assert metric.share(None) is None and metric.share(float("nan")) is None
    assert metric.note == "lower is better"
    assert goodness(sweep.plan, sweep.trials) == [None, 1.0, None]


@pytest.mark.parametrize("tokens", [DARK, LIGHT])
def test_it_draws_values_of_any_size(sweep: Sweep, dialog: SweepsDialog, tokens: Any) -> None:
    for number, value in enumerate((1e300, -1e300, float("inf"))):
        sweep.write(Trial(t=2, number=number, state="done", job="x", value=value))
    dialog.look()
    picture = QImage(900, 300, QImage.Format.Format_ARGB32)
    picture.fill(Qt.GlobalColor.transparent)

    painter = QPainter(picture)
    dialog.chart.draw(painter, picture.size().toSizeF(), tokens)
    painter.end()

    assert any(picture.pixelColor(x, 150).alpha() for x in range(900))


def test_without_sweeps_it_says_how_to_begin(dialog: SweepsDialog) -> None:
    assert dialog.current() is None
    assert not dialog.chooser.isVisible()


def test_the_jobs_page_opens_it(window: MainWindow, sweep: Sweep, tmp_path: Path) -> None:
    page = window.open_page("jobs")

    page.open_sweeps()
    opened = window.findChild(SweepsDialog)

    assert opened is not None and opened.isVisible() and opened.current() is not None
    opened.close()
    assert not opened.isVisible()
