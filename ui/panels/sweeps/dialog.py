"""The sweeps of a home: what each tried, live, as parallel coordinates and as a table."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, Qt, QTimer, Signal
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFrame,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QSplitter,
    QStackedWidget,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from ui.models.sweep_axes import value_text
from ui.models.sweep_table import SweepTable
from ui.theme import Theme
from ui.widgets.empty_state import EmptyState
from ui.widgets.parallel_coordinates import ParallelCoordinates
from workbench.cluster.sweep_file import Sweep, all_sweeps
from workbench.home import Home

_LOOK_MS = 500
_ROW, _HEADER = 32, 36
_STATES = {"running": "at work", "done": "done", "stopped": "stopped", "failed": "failed"}


class SweepsDialog(QDialog):
    """Shows the newest sweep first. It only reads: a sweep is a process of its own.

    Signals:
        job_wanted: A person asks for the job of a trial; carries its id.
    """

    job_wanted = Signal(str)

    def __init__(self, theme: Theme, home: Home, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._home = home
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
        self._stack.setCurrentIndex(1 if self._sweeps else 0)
        self.chooser.setVisible(bool(self._sweeps))

    def current(self) -> Sweep | None:
        """The sweep that is shown."""
        at = self.chooser.currentIndex()
        return self._sweeps[at] if 0 <= at < len(self._sweeps) else None

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
        self._state.setText(_words(sweep))
        self._best.setText(_best(sweep))
        self._best.setVisible(bool(self._best.text()))

    def _choose(self, number: int) -> None:
        row = self.table.row_of(number)
        self.view.selectRow(row)
        self.view.scrollTo(self.table.index(row, 0))

    def _point(self, current: QModelIndex) -> None:
        trial = self.table.trial(current.row())
        self.chart.highlight(trial.number if trial is not None else None)

    def _open(self, index: QModelIndex) -> None:
        trial = self.table.trial(index.row())
        if trial is not None and trial.job:
            self.job_wanted.emit(trial.job)

    def _build(self) -> None:
        title = QLabel("Sweeps", self)
        title.setProperty("role", "title")
        self.chooser = QComboBox(self)
        self.chooser.setAccessibleName("Sweep")
        self.chooser.setMinimumContentsLength(32)
        self.chooser.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self._state = QLabel(self)
        self._state.setProperty("role", "second")
        head = QHBoxLayout()
        head.setSpacing(14)
        head.addWidget(title)
        head.addWidget(self.chooser, 1)
        head.addStretch(0)
        head.addWidget(self._state)
        self._best = QLabel(self)
        self._best.setWordWrap(True)
        self._best.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        card = QFrame(self)
        card.setProperty("card", "true")
        inside = QVBoxLayout(card)
        inside.setContentsMargins(8, 10, 8, 10)
        inside.addWidget(self.chart)
        self.view = _table_view(self.table, self)
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
        column.addWidget(self._best)
        column.addWidget(parts, 1)
        empty = EmptyState(
            "jobs",
            "No sweeps yet",
            "A sweep tries an operation with many values, each trial a job, and compares what came of them. "
            "Start one with “tenfold sweep OPERATION --model MODEL --vary NAME=A,B,C --metric NAME”; it "
            "appears here while it works.",
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


def _table_view(model: SweepTable, parent: QWidget) -> QTableView:
    view = QTableView(parent)
    view.setModel(model)
    view.setAccessibleName("Trials")
    view.setAccessibleDescription("Enter opens a trial's job; a click on a column's title sorts by it.")
    view.setShowGrid(False)
    view.setWordWrap(False)
    view.setFrameShape(QTableView.Shape.NoFrame)
    view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
    view.setTabKeyNavigation(False)
    view.verticalHeader().hide()
    view.verticalHeader().setDefaultSectionSize(_ROW)
    header = view.horizontalHeader()
    header.setHighlightSections(False)
    header.setFixedHeight(_HEADER)
    header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
    header.setStretchLastSection(True)
    header.setSortIndicatorClearable(True)
    header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
    view.setSortingEnabled(True)
    model.modelReset.connect(lambda: _fit(view))
    return view


def _fit(view: QTableView) -> None:
    """Columns as wide as their words, and so that all of them fill the room."""
    view.resizeColumnsToContents()
    header = view.horizontalHeader()
    left = (view.viewport().width() - header.length()) // max(1, header.count())
    for column in range(header.count()):
        view.setColumnWidth(column, view.columnWidth(column) + max(14, left))


def _words(sweep: Sweep) -> str:
    done = sum(each.state in ("done", "failed", "stopped") for each in sweep.trials)
    return f"{done} of {len(sweep.trials)} trials · {_STATES[sweep.state]}"


def _best(sweep: Sweep) -> str:
    best = sweep.best()
    if best is None or sweep.plan is None:
        return ""
    values = ", ".join(
        f"{name} = {value_text(value)}" for name, value in sweep.plan.values[best.number].items()
    )
    return f"Best so far: trial {best.number + 1} with {values}: {sweep.plan.metric} {best.value:.4g}."
