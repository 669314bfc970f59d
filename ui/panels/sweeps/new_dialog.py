"""Starts a sweep: what varies, how often, what decides, and what it will take."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QFrame,
    QHBoxLayout,
    QMenu,
    QPushButton,
    QScrollArea,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ui.panels.sweeps.amounts import Amounts
from ui.panels.sweeps.judging import Judging
from ui.panels.sweeps.preview import Cost, cost_text, count_text, results_bytes
from ui.panels.sweeps.step_rows import StepRows
from ui.widgets.card import label
from ui.widgets.message import MessageBar
from ui.widgets.model_title import WrappedTitle
from ui.widgets.place_choice import PlaceChoice
from workbench.catalogue_entry import OperationEntry
from workbench.cluster.sweep_cost import reported_series, typical_seconds
from workbench.cluster.sweep_file import Sweep
from workbench.cluster.sweep_plan import SweepRequest, dimensions_of, make_plan
from workbench.cluster.sweep_space import trials
from workbench.cluster.sweep_start import SweepStarter
from workbench.errors import NotFoundError, UsageError, WorkbenchError
from workbench.jobs.proof_jobs import OPERATION as PROVE
from workbench.library.records import ModelRecord
from workbench.model import ModelFacts
from workbench.session import Session

_SIZE = QSize(760, 700)
#: More trials than this are a matter for the command line: their plan is made while the window waits.
_MOST_TRIALS = 1000


@dataclass(frozen=True, slots=True)
class SweepSubject:
    """What is swept, as a page's form has it.

    Attributes:
        operations: All that the catalogue offers, for further steps.
        values: Of the operation's parameters, as they stand.
        series: Names of series that its jobs report, those that decide first.
    """

    entry: OperationEntry
    operations: tuple[OperationEntry, ...]
    record: ModelRecord | None
    facts: ModelFacts | None
    values: Mapping[str, Any]
    place: str = ""
    series: Sequence[str] = field(default=())


class NewSweepDialog(QDialog):
    """Attributes:
    sweep: The sweep that was started; None until then.
    """

    def __init__(
        self, session: Session, starter: SweepStarter, subject: SweepSubject, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._starter = starter
        self._subject = subject
        self._preferences = session.settings.load()
        self.sweep: Sweep | None = None
        self.setWindowTitle("New sweep")
        self.resize(_SIZE)
        self.steps: list[StepRows] = []
        self._took: dict[str, float | None] = {}
        known = reported_series(session.board, subject.entry.name)
        self.judging = Judging(subject.entry, subject.series, known, self)
        self.amounts = Amounts(self._preferences.cpu_slots, _MOST_TRIALS, self)
        self.place = PlaceChoice(self)
        self.place.set_places(self._preferences.places)
        self.place.combo.setCurrentIndex(max(0, self.place.combo.findData(subject.place)))
        self._build()
        self._add_step(subject.entry, subject.values)
        self.judging.edited.connect(self._show_preview)
        self.amounts.edited.connect(self._show_preview)
        self.place.combo.currentIndexChanged.connect(self._show_preview)
        self._show_preview()
        first = self.steps[0]
        (first.rows[0].check if first.rows else first.add_button).setFocus()

    def request(self) -> SweepRequest:
        """What is asked for as the form stands."""
        record = self._subject.record
        return SweepRequest(
            operations=tuple(step.entry.name for step in self.steps),
            model=record.id if record is not None else None,
            fixed=dict(self._subject.values),
            vary=tuple(text for step in self.steps for text in step.said()),
            metric=self.judging.name,
            mode=self.judging.better,
            samples=self.amounts.drawn,
            seed=self.amounts.seed.value(),
            parallel=self.amounts.parallel.value(),
            stop_early=self.stop_early.isEnabled() and self.stop_early.isChecked(),
            prove=self.judging.proof_form,
            place=self.place.chosen(),
        )

    def add_step(self, name: str) -> None:
        """Add a further step to the recipe."""
        self._add_step(self._operation(name), {})
        self.steps[-1].add_button.setFocus()
        self._show_preview()

    def next_steps(self) -> list[OperationEntry]:
        """What can follow the last step."""
        made = self.steps[-1].entry.output
        used = {step.entry.name for step in self.steps}
        return [
            each
            for each in self._subject.operations
            if made is not None and each.input in (made, "any") and each.name not in used
        ]

    def start(self) -> None:
        """Check everything as the command line does, and start the sweep."""
        wrong = next((row for step in self.steps if (row := step.check()) is not None), None)
        if wrong is not None:
            wrong.focus()
            return
        QGuiApplication.setOverrideCursor(Qt.CursorShape.WaitCursor)
        try:
            request = self.request()
            self._trials(request)
            self.sweep = self._starter.begin(make_plan(self._session, request, self._operation))
        except WorkbenchError as error:
            self._show_problem(error)
            return
        finally:
            QGuiApplication.restoreOverrideCursor()
        self.accept()

    def _operation(self, name: str) -> OperationEntry:
        for each in self._subject.operations:
            if each.name == name:
                return each
        raise NotFoundError(f"There is no operation “{name}”.")

    def _add_step(self, entry: OperationEntry, values: Mapping[str, Any]) -> None:
        step = StepRows(entry, values, is_first=not self.steps, parent=self._inner)
        step.edited.connect(self._show_preview)
        step.removed.connect(self._remove_step)
        self.steps.append(step)
        self._column.insertWidget(len(self.steps) - 1, step)
        self.judging.set_last(entry)

    def _remove_step(self, step: StepRows) -> None:
        self.steps.remove(step)
        self._column.removeWidget(step)
        step.hide()
        step.deleteLater()
        self.judging.set_last(self.steps[-1].entry)
        self.then_button.setFocus()
        self._show_preview()

    def _trials(self, request: SweepRequest) -> list[dict[str, Any]]:
        """What each trial would vary.

        Raises:
            UsageError: Nothing varies, or there are more than a window should start.
        """
        if not request.vary:
            raise UsageError("Nothing varies yet.", remedy="Tick a parameter above.")
        dimensions = dimensions_of(request, [step.entry for step in self.steps])
        found = trials(dimensions, request.samples, request.seed)
        if len(found) > _MOST_TRIALS:
            raise UsageError(
                f"These are {count_text(len(found))}; from here at most {_MOST_TRIALS} are started.",
                remedy="Draw some by chance, or use `tenfold sweep`.",
            )
        if not request.metric:
            raise UsageError("Nothing decides yet.", remedy="Say what is compared.")
        return found

    def _show_preview(self) -> None:
        wrong = [row for step in self.steps if (row := step.check()) is not None]
        self.problem.hide()
        self.amounts.set_draws(any(step.draws() for step in self.steps))
        early = self.judging.reports_meanwhile
        self.stop_early.setEnabled(early)
        self.stop_early.setToolTip("" if early else "This figure is known only when a trial is done")
        if wrong:
            self._show_cost("A value above can’t be used", "The reason stands below it.", 0)
            return
        request = self.request()
        try:
            found = self._trials(request)
        except WorkbenchError as error:
            self._show_cost(error.message, error.remedy, 0)
            return
        subject, elsewhere = self._subject, bool(request.place)
        first, *others = self._seconds(request)
        cost = Cost(
            seconds=None if elsewhere or first is None else sum(each or 0 for each in (first, *others)),
            on_top=None in others,
            parallel=request.parallel,
            slots=None if elsewhere else self._preferences.cpu_slots,
            result_bytes=results_bytes(subject.entry, subject.values, found, subject.facts),
            free_bytes=shutil.disk_usage(self._session.home.root).free,
        )
        self._show_cost(count_text(len(found)), cost_text(len(found), cost), len(found))

    def _seconds(self, request: SweepRequest) -> list[float | None]:
        """What each job of a trial took here before."""
        operations = (*request.operations[1:], *((PROVE,) if request.prove else ()))
        for name in operations:
            if name not in self._took:
                self._took[name] = typical_seconds(self._session.board, name)
        first = request.operations[0]
        if first not in self._took:
            self._took[first] = typical_seconds(self._session.board, first, request.model)
        return [self._took[name] for name in (first, *operations)]

    def _show_cost(self, count: str, cost: str, startable: int) -> None:
        self.count.setText(count)
        self.cost.setText(cost)
        self.start_button.setText(f"Start {count_text(startable)}" if startable else "Start sweep")
        self.start_button.setEnabled(startable > 0)

    def _show_problem(self, error: WorkbenchError) -> None:
        self.problem.show_message("bad", error.message, error.remedy, error.details)
        self.problem.show()

    def _fill_then(self) -> None:
        self._then.clear()
        for entry in self.next_steps():
            self._then.addAction(entry.title, lambda name=entry.name: self.add_step(name))
        if self._then.isEmpty():
            self._then.addAction("Nothing can follow").setEnabled(False)

    # ------------------------------------------------------------------ building

    def _build(self) -> None:
        record = self._subject.record
        title = WrappedTitle(pixels=16, lines=2, parent=self)
        title.set_text(f"Sweep: {self._subject.entry.title}")
        about = label("", "second", self, wrap=True)
        about.setTextFormat(Qt.TextFormat.PlainText)
        worked = f"on {record.name}, " if record is not None else ""
        about.setText(
            f"Each trial is a job {worked}with its own curves and result. With the window closed, trials at "
            "work go on and the next ones wait."
        )
        self._inner = QWidget(self)
        self._column = QVBoxLayout(self._inner)
        self._column.setContentsMargins(14, 12, 14, 12)
        self._column.setSpacing(14)
        self._then = QMenu(self)
        self._then.aboutToShow.connect(self._fill_then)
        self.then_button = QToolButton(self)
        self.then_button.setText("Add a step")
        self.then_button.setToolTip("A recipe: a further operation on what each trial makes")
        self.then_button.setProperty("variant", "quiet")
        self.then_button.setMenu(self._then)
        self.then_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.then_button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._column.addWidget(self.then_button, 0, Qt.AlignmentFlag.AlignLeft)
        self._column.addStretch(1)
        scroll = QScrollArea(self)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scroll.setWidget(self._inner)
        card = QFrame(self)
        card.setProperty("card", "true")
        inside = QVBoxLayout(card)
        inside.setContentsMargins(1, 1, 1, 1)
        inside.addWidget(scroll)
        self.stop_early = QCheckBox("End trials early that lag behind the others", self)
        self.stop_early.toggled.connect(self._show_preview)
        self.count = label("", "section", self, wrap=True)
        self.cost = label("", "second", self, wrap=True)
        self.problem = MessageBar("bad", "", "", "", self)
        self.problem.hide()
        self.start_button = QPushButton("Start sweep", self)
        self.start_button.setProperty("variant", "primary")
        self.start_button.setDefault(True)
        self.start_button.clicked.connect(self.start)
        cancel = QPushButton("Cancel", self)
        cancel.clicked.connect(self.reject)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        buttons.addStretch(1)
        buttons.addWidget(cancel)
        buttons.addWidget(self.start_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 20, 24, 20)
        column.setSpacing(12)
        column.addWidget(title)
        column.addWidget(about)
        column.addWidget(card, 1)
        column.addWidget(self.amounts)
        column.addWidget(self.judging)
        column.addWidget(self.stop_early)
        column.addWidget(self.place)
        column.addWidget(self.count)
        column.addWidget(self.cost)
        column.addWidget(self.problem)
        column.addLayout(buttons)
