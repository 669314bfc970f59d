"""The third step: a run from its first step to its proof, live."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QScrollArea,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from ui.context import AppContext
from ui.panels.finetune.nothing import no_run
from ui.panels.finetune.outcome import outcome_in
from ui.panels.finetune.result_card import ResultCard
from ui.panels.finetune.run_actions import RunActions
from ui.panels.finetune.run_head import RunHead
from ui.panels.finetune.run_tiles import RunTiles
from ui.panels.finetune.samples_table import SamplesTable
from ui.widgets.card import Card, label
from ui.widgets.job_words import TimeLeft
from ui.widgets.message import MessageBar
from workbench.errors import WorkbenchError
from workbench.jobs.events import Event, Progress
from workbench.jobs.records import JobRecord
from workbench.jobs.spec import JobSpec
from workbench.jobs.trace import RunTrace

if TYPE_CHECKING:
    from ui.panels.finetune.small_plots import SmallPlots
    from ui.panels.finetune.step_plots import LossPlot

#: One bite of an event file: about 10 ms of reading, so that no frame waits for a long run.
_BITE_BYTES = 256 * 1024
_READ_MS = 15
#: From this width on the answers stand beside the loss instead of below it.
_TWO_COLUMNS = 1180
_LOSS_HEIGHT = 250
_MOST_SAMPLES = 330


class TrainingPanel(QWidget):
    """Shows one run.

    Signals:
        use_wanted: The data and the settings of a run are to be taken over; carries its `JobRecord`.
        changed: What the record says of the run is other now.
    """

    use_wanted = Signal(object)
    changed = Signal()

    def __init__(self, context: AppContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._board = context.session.board
        self._actions = RunActions(context, self)
        self._job: JobRecord | None = None
        self._spec: JobSpec | None = None
        self._trace: RunTrace | None = None
        self._left = TimeLeft()
        self._wide: bool | None = None
        self.loss: LossPlot | None = None
        self.small: SmallPlots | None = None
        self._build()
        self._reader = QTimer(self)
        self._reader.setInterval(_READ_MS)
        self._reader.timeout.connect(self._read_on)
        self._clock = QTimer(self)
        self._clock.setInterval(1000)
        self._clock.timeout.connect(self._tick)

    @property
    def job(self) -> JobRecord | None:
        return self._job

    @property
    def trace(self) -> RunTrace | None:
        return self._trace

    def show_job(self, job: JobRecord) -> None:
        """Show a run, or what is new of the one that is shown."""
        if self._job is None or self._job.id != job.id:
            self._begin(job)
        self._job = job
        self._stack.setCurrentIndex(0)
        self.head.show_job(job, self._spec)
        self._show_error(job)
        self._show_result(job)
        self._tick()
        self._advance()
        self.changed.emit()

    def take(self, job: JobRecord, events: Sequence[Event]) -> None:
        """Take in what the shown run said."""
        for event in events:
            if isinstance(event, Progress) and event.unit == "steps":
                self._left.report(event.t, event.done, event.total)
        self.show_job(job)

    def commands(self) -> tuple[tuple[str, str, Callable[[], None]], ...]:
        """What the palette offers of a run: text, keys, call."""
        return (
            ("Pause the training", "Ctrl+Shift+S", lambda: self._ask("pause")),
            ("Resume the training", "Ctrl+R", lambda: self._ask("resume")),
            ("Stop the training for good", "", lambda: self._ask("cancel")),
            ("Change and train again", "", lambda: self._ask("again")),
        )

    def showEvent(self, event: object) -> None:
        if self._job is not None:
            self._make_plots()
            self._advance()
            self._tick()

    def hideEvent(self, event: object) -> None:
        self._reader.stop()
        self._clock.stop()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange(wide=self.width() >= _TWO_COLUMNS)

    # ------------------------------------------------------------------ showing

    def _begin(self, job: JobRecord) -> None:
        """Read what stays the same while one run is shown."""
        self._trace = RunTrace(job.folder)
        self._left = TimeLeft()
        if job.progress_total > 0 and job.state == "running" and job.started_at is not None:
            # Until more is reported, the whole way so far tells the speed.
            self._left.report(job.started_at, 0.0, job.progress_total)
            self._left.report(time.time(), job.progress_done, job.progress_total)
        try:
            self._spec = self._board.spec(job.id)
        except WorkbenchError as error:
            self._spec = None
            self._context.message.emit("bad", str(error))
        self.samples.show_samples(())
        if self.loss is not None and self.small is not None:
            self.loss.clear()
            self.small.clear()
        self._make_plots()

    def _show_error(self, job: JobRecord) -> None:
        failed = job.state in ("failed", "interrupted")
        self.error.setVisible(failed)
        if failed:
            message = job.error_message or job.reason or "The run ended without saying why."
            kind = "bad" if job.state == "failed" else "warn"
            self.error.show_message(kind, message, job.error_remedy, job.error_details)

    def _show_result(self, job: JobRecord) -> None:
        self.result.setVisible(job.state == "done")
        if job.state != "done":
            return
        folder, is_adapter = job.folder / "out", True
        if job.result_model_id is not None:
            try:
                record = self._context.session.library.get(job.result_model_id)
                folder, is_adapter = record.path, record.format == "adapter"
            except WorkbenchError as error:
                self._context.message.emit("bad", str(error))
        self.result.show_outcome(
            outcome_in(folder), is_adapter=is_adapter, has_model=job.result_model_id is not None
        )

    def _tick(self) -> None:
        job = self._job
        if job is None:
            return
        epochs = self._spec.params.get("epochs") if self._spec is not None else None
        steps = self._trace.steps if self._trace is not None else None
        self.tiles.show_job(job, steps, self._left, epochs)
        if job.state == "running" and self.isVisible():
            self._clock.start()
        else:
            self._clock.stop()

    def _advance(self) -> None:
        if self._trace is not None and self.isVisible():
            self._read_on()
            self._reader.start()

    def _read_on(self) -> None:
        if self._trace is None or self._job is None:
            return
        if not self._trace.append_new(_BITE_BYTES):
            self._reader.stop()
        self._tick()
        self.tiles.show_trace(self._trace, running=self._job.state == "running")
        if self.loss is not None and self.small is not None:
            self.loss.show_trace(self._trace)
            self.small.show_trace(self._trace)
        told = self._trace.samples()
        self.samples.show_samples(told)
        self._answers.setVisible(bool(told) or self._job.state in ("queued", "running"))
        self._no_answers.setVisible(not told)
        self.samples.setVisible(bool(told))
        self._fit_samples()

    def _ask(self, name: str) -> None:
        """Do what a person asked of the shown run or of its result."""
        job = self._job
        if job is None:
            return
        if name == "again":
            self.use_wanted.emit(job)
            return
        self._actions.do(name, job)
        if name in ("pause", "resume", "cancel"):
            self.show_job(self._board.get(job.id))

    # ------------------------------------------------------------------ building

    def _make_plots(self) -> None:
        """pyqtgraph takes a quarter of a second to import: only once a run is looked at."""
        if self.loss is not None or not self.isVisible():
            return
        from ui.panels.finetune.small_plots import SmallPlots
        from ui.panels.finetune.step_plots import LossPlot
        from ui.plots import link

        self.loss = LossPlot(self._context.theme)
        self.small = SmallPlots(self._context.theme)
        link(self.loss, self.small.rate, self.small.norm)
        for plot in (self.loss, *self.small.plots):
            plot.failed.connect(lambda error: self._context.message.emit("bad", str(error)))
            plot.saved.connect(lambda path: self._context.message.emit("good", f"Saved {path}."))
        inside = self._loss_card.layout()
        assert inside is not None  # noqa: S101 - set when it was built
        inside.addWidget(self.loss)
        self._column.addWidget(self.small)

    def _build(self) -> None:
        self.head = RunHead()
        self.head.wanted.connect(self._ask)
        self.error = MessageBar("bad", "", "", "")
        self.error.hide()
        self.result = ResultCard(self._context.theme)
        self.result.wanted.connect(self._ask)
        self.result.hide()
        self.tiles = RunTiles()
        self._loss_card = QFrame()
        self._loss_card.setProperty("card", "true")
        self._loss_card.setMinimumHeight(_LOSS_HEIGHT)
        QVBoxLayout(self._loss_card).setContentsMargins(0, 0, 0, 0)
        self.samples = SamplesTable(self._context.theme)
        self._no_answers = label("They appear at the first evaluation.", "second")
        self._answers = Card("Answers to the same prompts")
        self._answers.column.setContentsMargins(14, 12, 14, 10)
        self._answers.column.setSpacing(6)
        self._answers.column.addWidget(self._no_answers)
        self._answers.column.addWidget(self.samples)
        self._answers.column.addStretch(1)
        self._grid = QGridLayout()
        self._grid.setSpacing(12)
        inner = QWidget()
        self._column = QVBoxLayout(inner)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(12)
        for widget in (self.error, self.result, self.tiles):
            self._column.addWidget(widget)
        self._column.addLayout(self._grid, 1)
        self._arrange(wide=False)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scroll.setWidget(inner)
        run = QWidget()
        column = QVBoxLayout(run)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        column.addWidget(self.head)
        column.addWidget(scroll, 1)
        nothing = QFrame()
        nothing.setProperty("card", "true")
        QVBoxLayout(nothing).addWidget(no_run())
        self._stack = QStackedWidget()
        self._stack.addWidget(run)
        self._stack.addWidget(nothing)
        self._stack.setCurrentIndex(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._stack)

    def _arrange(self, *, wide: bool) -> None:
        """The answers below the loss, or beside it."""
        if wide == self._wide:
            return
        self._wide = wide
        self._grid.addWidget(self._loss_card, 0, 0)
        self._grid.addWidget(self._answers, 0 if wide else 1, 1 if wide else 0)
        self._grid.setColumnStretch(0, 5)
        self._grid.setColumnStretch(1, 4 if wide else 0)
        self._fit_samples()

    def _fit_samples(self) -> None:
        self.samples.setFixedHeight(min(self.samples.wanted_height(), _MOST_SAMPLES))
