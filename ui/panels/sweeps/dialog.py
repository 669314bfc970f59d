"""The sweeps of a home: what each tried, live, as parallel coordinates and as a table."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, Qt, QTimer, Signal
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from ui.models.sweep_table import SweepTable
from ui.panels.sweeps.trials_view import trials_view
from ui.panels.sweeps.words import best_words, count_words, state_of
from ui.theme import Theme
from ui.widgets.card import label
from ui.widgets.empty_state import EmptyState
from ui.widgets.form_inputs import CalmComboBox
from ui.widgets.message import MessageBar
from ui.widgets.parallel_coordinates import ParallelCoordinates
from workbench.cluster.sweep_file import Sweep, all_sweeps
from workbench.cluster.sweep_start import SweepStarter, ask_to_stop
from workbench.errors import WorkbenchError
from workbench.home import Home

_LOOK_MS = 500
_STOP_TIP = "End the sweep and the trials at work; it can be resumed"
_RESUME_TIP = "Go on with the trials that are not done"


class SweepsDialog(QDialog):
    """Shows the newest sweep first. A sweep is a process of its own: it is read, asked to stop, started anew.

    Signals:
        job_wanted: A person asks for the job of a trial; carries its id.
        failed: Something could not be done: a `WorkbenchError`.
    """

    job_wanted = Signal(str)
    failed = Signal(object)

    def __init__(
        self, theme: Theme, home: Home, starter: SweepStarter, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._home = home
        self._starter = starter
        self._stops = False
        self._sweeps: list[Sweep] = []
        self.setWindowTitle("Sweeps")
        self.resize(1080, 720)
        self.table = SweepTable(self)
        self.chart = ParallelCoordinates(theme, self)
        self._build()
        self._timer = QTimer(self)
        self._timer.setInterval(_LOOK_MS)
        self._timer.timeout.connect(self.look)
        self.chooser.currentIndexChanged.connect(self._show)
        self.chart.chosen.connect(self._choose)
        self.view.selectionModel().currentRowChanged.connect(self._point)
        self.view.activated.connect(self._open)

    def look(self) -> None:
        """Read what is new: other sweeps, and the one that is shown."""
        self._starter.poll()
        known = {each.id for each in self._sweeps}
        new = [each for each in all_sweeps(self._home) if each.id not in known]
        if new:
            chosen = self.current()
            # A sweep that begins while a person looks at another does not push it away.
            self._sweeps = [*new, *self._sweeps]
            self.chooser.blockSignals(True)
            self.chooser.clear()
            for each in self._sweeps:
                self.chooser.addItem(each.plan.title if each.plan is not None else each.id)
            self.chooser.setCurrentIndex(self._sweeps.index(chosen) if chosen is not None else 0)
            self.chooser.blockSignals(False)
        current = self.current()
        if current is not None and (current.read() or new):
            self._show()
        elif current is not None:
            self._show_state(current)
        self._stack.setCurrentIndex(1 if self._sweeps else 0)
        self.chooser.setVisible(bool(self._sweeps))

    def current(self) -> Sweep | None:
        """The sweep that is shown."""
        at = self.chooser.currentIndex()
        return self._sweeps[at] if 0 <= at < len(self._sweeps) else None

    def choose(self, sweep_id: str) -> None:
        """Show the sweep with this id."""
        self.look()
        for at, sweep in enumerate(self._sweeps):
            if sweep.id == sweep_id:
                self.chooser.setCurrentIndex(at)

    def stop_or_resume(self) -> None:
        """End the shown sweep, or have it go on."""
        sweep = self.current()
        if sweep is None:
            return
        try:
            if sweep.is_at_work():
                ask_to_stop(sweep)
                self._stops = True
            else:
                self._starter.resume(sweep)
        except WorkbenchError as error:
            self.failed.emit(error)
        self.look()

    def showEvent(self, event: QShowEvent) -> None:
        self.look()
        self._timer.start()

    def hideEvent(self, event: QHideEvent) -> None:
        self._timer.stop()

    def _show(self) -> None:
        sweep = self.current()
        if sweep is None or sweep.plan is None:
            return
        sweep.read()
        self.table.show_sweep(sweep)
        self.chart.show_sweep(sweep)
        self._show_state(sweep)
        self._best.setText(best_words(sweep))
        self._best.setVisible(bool(self._best.text()))
        self._show_reason()

    def _show_state(self, sweep: Sweep) -> None:
        """Say where it stands, and offer what can be done: looked at each time, since it may be killed."""
        at_work = sweep.state in ("waiting", "running") and sweep.is_at_work()
        self._stops = self._stops and at_work
        state = state_of(sweep, at_work=at_work)
        self._state.setText(f"{count_words(sweep)} · {'stopping…' if self._stops else state}")
        self.trouble.setVisible(sweep.state == "failed" and bool(sweep.reason))
        if sweep.state == "failed":
            self.trouble.show_message("bad", "The sweep failed.", sweep.reason)
        left = any(each.state in ("waiting", "running", "failed") for each in sweep.trials)
        again = "Retry failed" if sweep.state == "done" else "Resume"
        self.act_button.setText("Stop" if at_work else again)
        self.act_button.setToolTip(_STOP_TIP if at_work else _RESUME_TIP)
        self.act_button.setVisible(at_work or (left and state != "begins"))
        self.act_button.setEnabled(not self._stops)

    def _show_reason(self) -> None:
        """Say why the chosen trial failed or was ended."""
        trial = self.table.trial(self.view.currentIndex().row())
        reason = trial.reason if trial is not None else ""
        self._reason.setText(f"Trial {trial.number + 1}: {reason}" if trial is not None and reason else "")
        self._reason.setVisible(bool(reason))

    def _choose(self, number: int) -> None:
        row = self.table.row_of(number)
        self.view.selectRow(row)
        self.view.scrollTo(self.table.index(row, 0))

    def _point(self, current: QModelIndex) -> None:
        trial = self.table.trial(current.row())
        self.chart.highlight(trial.number if trial is not None else None)
        self._show_reason()

    def _open(self, index: QModelIndex) -> None:
        trial = self.table.trial(index.row())
        if trial is not None and trial.job:
            self.job_wanted.emit(trial.job)

    def _build(self) -> None:
        title = QLabel("Sweeps", self)
        title.setProperty("role", "title")
        self.chooser = CalmComboBox(self)
        self.chooser.setAccessibleName("Sweep")
        self.chooser.setMinimumContentsLength(32)
        self._state = QLabel(self)
        self._state.setProperty("role", "second")
        head = QHBoxLayout()
        head.setSpacing(14)
        head.addWidget(title)
        head.addWidget(self.chooser, 1)
        head.addStretch(0)
        head.addWidget(self._state)
        self.act_button = QPushButton("Stop", self)
        self.act_button.hide()
        self.act_button.setAutoDefault(False)
        self.act_button.clicked.connect(self.stop_or_resume)
        head.addWidget(self.act_button)
        self.trouble = MessageBar("bad", "", "", "", self)
        self.trouble.hide()
        self._best = QLabel(self)
        self._best.setWordWrap(True)
        self._best.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        card = QFrame(self)
        card.setProperty("card", "true")
        inside = QVBoxLayout(card)
        inside.setContentsMargins(8, 10, 8, 10)
        inside.addWidget(self.chart)
        self.view = trials_view(self.table, self)
        parts = QSplitter(Qt.Orientation.Vertical, self)
        parts.setHandleWidth(12)
        parts.setChildrenCollapsible(False)
        parts.addWidget(card)
        parts.addWidget(self.view)
        parts.setSizes([360, 240])
        shown = QWidget(self)
        column = QVBoxLayout(shown)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(10)
        column.addWidget(self.trouble)
        column.addWidget(self._best)
        column.addWidget(parts, 1)
        self._reason = label("", "second", self, wrap=True)
        self._reason.setTextFormat(Qt.TextFormat.PlainText)
        self._reason.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._reason.hide()
        column.addWidget(self._reason)
        empty = EmptyState(
            "jobs",
            "No sweeps yet",
            "A sweep tries an operation with many values, each trial a job, and compares what came of them. "
            "Start one with the button “Sweep…” of the Optimize or the Fine-tune page, or with “tenfold "
            "sweep”; it appears here while it works.",
            parent=self,
        )
        self._stack = QStackedWidget(self)
        self._stack.addWidget(empty)
        self._stack.addWidget(shown)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close, self)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 22, 24, 20)
        layout.setSpacing(14)
        layout.addLayout(head)
        layout.addWidget(self._stack, 1)
        layout.addWidget(buttons)
