"""One job in full: what it is, how far it is, its plots, log, parameters and history."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QStackedWidget,
    QTabBar,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ui import format
from ui.context import AppContext
from ui.widgets.badge import Badge
from ui.widgets.elided_label import ElidedLabel
from ui.widgets.job_history import JobHistory, ParameterTable, artifacts, recent_events
from ui.widgets.job_log import LINES, JobLog
from ui.widgets.job_tiles import Tile
from ui.widgets.job_words import (
    TONES,
    TimeLeft,
    duration_of,
    progress_text,
    share_done,
    state_word,
    time_left_text,
)
from ui.widgets.mean_rate import mean_rate
from ui.widgets.message import MessageBar
from workbench.errors import WorkbenchError
from workbench.export.imported import of as imported_by
from workbench.jobs.events import Event, Progress
from workbench.jobs.proof_jobs import OPERATION as PROVES
from workbench.jobs.records import JobRecord
from workbench.jobs.spec import JobSpec

if TYPE_CHECKING:
    from ui.widgets.job_plots import JobPlots

_TABS = ("Plots", "Log", "Parameters", "History")

#: Which actions stand as buttons in each state; the rest are in the menu.
_BUTTONS: dict[str, tuple[str, ...]] = {
    "queued": ("pause", "cancel"),
    "running": ("pause", "cancel"),
    "paused": ("resume", "cancel"),
    "interrupted": ("resume", "retry"),
    "failed": ("resume", "retry"),
    "done": ("open-model", "retry"),
    "cancelled": ("retry",),
}

_TITLES = {
    "pause": "Pause",
    "resume": "Resume",
    "cancel": "Cancel",
    "retry": "Run again",
    "open-model": "Open model",
    "folder": "Show folder",
    "export": "Export as script…",
    "export-bundle": "Export as bundle…",
    "export-slurm": "Export for Slurm…",
    "export-notebook": "Export as notebook…",
    "import": "Import what it made elsewhere…",
    "copy-id": "Copy job id",
    "remove": "Remove…",
}


class JobDetail(QWidget):
    """The right side of the Jobs page.

    Signals:
        wanted: A person asked for something: the action's name and the job's id.
    """

    wanted = Signal(str, str)

    def __init__(self, context: AppContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._job: JobRecord | None = None
        self._spec: JobSpec | None = None
        self._left = TimeLeft()
        self._plots: JobPlots | None = None
        self._build()
        self._clock = QTimer(self)
        self._clock.setInterval(1000)
        self._clock.timeout.connect(self._tick)

    @property
    def job(self) -> JobRecord | None:
        return self._job

    def show_job(self, job: JobRecord) -> None:
        """Show a job, or what is new of the one that is shown."""
        if self._job is None or self._job.id != job.id:
            self._job = job
            self._begin(job)
        else:
            self._job = job
        self._show_head(job)
        self._show_error(job)
        self._show_tiles(job)
        self._show_tab()
        if job.state == "running" and self.isVisible():
            self._clock.start()
        else:
            self._clock.stop()

    def take(self, job: JobRecord, events: Sequence[Event]) -> None:
        """Take in what the shown job said."""
        for event in events:
            if isinstance(event, Progress):
                self._left.report(event.t, event.done, event.total)
        self.history.add_events(events)
        self._show_result(job)
        self.show_job(job)
        if self._plots is not None:
            self._plots.advance()

    def open_tab(self, name: str) -> None:
        self.tabs.setCurrentIndex(_TABS.index(name))

    def hideEvent(self, event: object) -> None:
        self._clock.stop()

    def showEvent(self, event: object) -> None:
        if self._job is not None:
            self.show_job(self._job)

    def _begin(self, job: JobRecord) -> None:
        """Read what stays the same while one job is shown."""
        self._left = TimeLeft()
        events = recent_events(job.folder / "events.jsonl")
        self.history.set_events(events)
        if job.progress_total > 0 and job.state == "running" and job.started_at is not None:
            # Until more is reported, the whole way so far tells the speed.
            self._left.report(job.started_at, 0.0, job.progress_total)
            self._left.report(time.time(), job.progress_done, job.progress_total)
        try:
            self._spec = self._context.session.board.spec(job.id)
        except WorkbenchError as error:
            self._spec = None
            self._context.message.emit("bad", str(error))
        self._show_spec(job)
        self._show_result(job)
        self._log.follow.setChecked(True)

    def _show_spec(self, job: JobRecord) -> None:
        spec = self._spec
        self._operation.setText(job.operation)
        rows: list[tuple[str, object]] = []
        if spec is not None:
            slot = spec.needs if spec.needs == "network" else spec.needs.upper()
            self._backend.setText(f"{spec.backend} · {slot}" if spec.backend else slot)
            self._seed.setText(f"seed {spec.seed}")
            rows = [("Operation", spec.operation), *spec.params.items(), ("Seed", spec.seed)]
            if spec.model is not None:
                # One that was imported may have started from a model that is only there.
                place = spec.model.path if spec.model.path != Path() else "not in this library"
                rows.insert(1, ("Model", f"{spec.model.name} · {place}"))
            rows += [
                ("Output", f"{spec.output_name} ({spec.output_format or 'no model'})"),
                ("Goes on from a checkpoint", spec.resumable and not spec.restarts),
                ("Written by Tenfold", spec.tenfold_version or "unknown"),
            ]
            came = imported_by(job.folder)
            if came is not None:
                rows.append(("Imported", came.words))
        self._parameters.set_rows(rows)

    def _show_head(self, job: JobRecord) -> None:
        self._title.setText(job.title)
        self._state.setText(state_word(job.state))
        self._state.set_tone(TONES[job.state])
        shown = _BUTTONS[job.state]
        # What was measured stands beside the model that it was measured of.
        has_model = job.result_model_id is not None or (job.operation == PROVES and job.model_id is not None)
        if not has_model:
            shown = tuple(name for name in shown if name != "open-model")
        for name, button in self._buttons.items():
            button.setVisible(name in shown)
        resumable = self._spec.resumable if self._spec is not None else False
        if "resume" in shown and job.state in ("failed", "interrupted") and not resumable:
            self._buttons["resume"].hide()
        self._buttons["pause"].setToolTip(
            "Gives its memory back and goes on from its checkpoint later"
            if resumable and self._spec is not None and not self._spec.restarts
            else "Gives its memory back; this operation begins again when it is resumed"
        )
        at_rest = job.state not in ("queued", "running")
        self._actions["remove"].setEnabled(at_rest)
        self._actions["open-model"].setVisible(has_model)

    def _show_error(self, job: JobRecord) -> None:
        failed = job.state in ("failed", "interrupted")
        self._error.setVisible(failed)
        if failed:
            message = job.error_message or job.reason or "The job ended without saying why."
            kind = "bad" if job.state == "failed" else "warn"
            self._error.show_message(kind, message, job.error_remedy, job.error_details)

    def _show_result(self, job: JobRecord) -> None:
        published = artifacts(self.history.events)
        self._result.setVisible(bool(published) and job.state == "done")
        if not published:
            return
        last = published[-1]
        came = imported_by(job.folder)
        self._came.setText(came.words[:1].upper() + came.words[1:] if came is not None else "")
        self._came.setVisible(came is not None)
        self._result_name.setText(last.name or last.path)
        self._result_facts.setText(f"{format.bytes(last.size_bytes)} · sha256 {last.sha256[:12]}…")
        self._result_facts.setToolTip(f"sha256 {last.sha256}")
        self._result.setAccessibleName(
            f"Result {last.name or last.path}, {format.bytes(last.size_bytes)}, sha256 {last.sha256}"
        )

    def _show_tiles(self, job: JobRecord) -> None:
        share = share_done(job)
        self._tiles["progress"].show_figure(
            "—" if share is None else f"{share * 100:.0f}\u202f%",
            _progress_remark(job),
        )
        self._show_time(job)
        self._show_measured()

    def _show_time(self, job: JobRecord) -> None:
        now = time.time()
        took = duration_of(job, now)
        tile = self._tiles["time"]
        if job.state == "running":
            left = self._left.seconds(now)
            ends = f" · ends {datetime.fromtimestamp(now + left):%H:%M}" if left is not None else ""
            ran = f"running for {format.duration(took or 0.0)}"
            tile.show_figure(time_left_text(left), ran + ends, "Time left")
        elif took is None:
            tile.show_figure("—", "has not started", "Time")
        else:
            ended = job.ended_at or job.started_at or now
            when = f"{datetime.fromtimestamp(ended):%H:%M, %d %b}"
            tile.show_figure(format.duration(took), f"ended {when}", "Time taken")

    def _show_measured(self) -> None:
        if self._plots is None or self._job is None:
            return
        running = self._job.state == "running"
        speed = self._plots.series("throughput")
        if speed and len(speed[0][1]):
            (times, values), unit = speed[0], self._plots.unit_of_throughput()
            mean = mean_rate(times, values)
            figure = float(values[-1]) if running else mean
            remark = f"mean {format.rate(mean, unit)}" if running else "mean over the job"
            self._tiles["speed"].show_figure(format.rate(figure, unit), remark)
        else:
            self._tiles["speed"].show_figure("—", "nothing measured yet")
        held = self._plots.series("memory")
        if held and len(held[0][1]):
            values = held[0][1]
            remark = f"now {format.bytes(int(values[-1]))}" if running else "of the worker's processes"
            self._tiles["memory"].show_figure(format.bytes(int(np.max(values))), remark)
        else:
            self._tiles["memory"].show_figure("—", "nothing measured yet")

    def _show_tab(self) -> None:
        if self._job is None or not self.isVisible():
            return
        name = _TABS[self.tabs.currentIndex()]
        if name == "Plots":
            self._plots_of(self._job)
        elif name == "Log":
            self._log.set_lines(self._context.session.board.last_log_lines(self._job.id, LINES))

    def _plots_of(self, job: JobRecord) -> None:
        if self._plots is None:
            # pyqtgraph takes a quarter of a second to import: only once a job is looked at.
            from ui.widgets.job_plots import JobPlots

            plots = JobPlots(self._context.theme)
            plots.figures_changed.connect(self._show_measured)
            plots.failed.connect(lambda error: self._context.message.emit("bad", str(error)))
            plots.saved.connect(lambda path: self._context.message.emit("good", f"Saved {path}."))
            self._plots = plots
            self._plots_place.layout().addWidget(plots)
        self._plots.show_job(job)

    def _tick(self) -> None:
        if self._job is not None and self._job.state == "running":
            self._show_time(self._job)
            if _TABS[self.tabs.currentIndex()] == "Log":
                self._show_tab()

    def _ask(self, name: str) -> None:
        if self._job is not None:
            self.wanted.emit(name, self._job.id)

    def _build(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(12)
        layout.addLayout(self._build_head())
        self._error = MessageBar("bad", "", "", "")
        layout.addWidget(self._error)
        layout.addLayout(self._build_tiles())
        layout.addWidget(self._build_result())
        layout.addWidget(self._build_tabs())
        self.stack = QStackedWidget()
        self._plots_place = QWidget()
        QVBoxLayout(self._plots_place).setContentsMargins(0, 0, 0, 0)
        self._log = JobLog()
        self._parameters = ParameterTable()
        self.history = JobHistory()
        self.stack.addWidget(self._plots_place)
        for page in (self._log, self._parameters, self.history):
            self.stack.addWidget(_in_card(page))
        layout.addWidget(self.stack, 1)
        self.tabs.currentChanged.connect(self.stack.setCurrentIndex)
        self.tabs.currentChanged.connect(self._show_tab)

    def _build_head(self) -> QHBoxLayout:
        head = QHBoxLayout()
        head.setSpacing(8)
        self._title = ElidedLabel("")
        self._title.setProperty("role", "section")
        self._state = Badge("", "neutral")
        self._operation = Badge("", "accent")
        self._backend = Badge("", "neutral")
        self._seed = Badge("", "neutral")
        head.addWidget(self._title, 1)
        for badge in (self._state, self._operation, self._backend, self._seed):
            head.addWidget(badge)
        head.addSpacing(8)
        self._buttons: dict[str, QPushButton] = {}
        for name in ("open-model", "resume", "retry", "pause", "cancel"):
            button = QPushButton(_TITLES[name])
            button.setAccessibleName(_TITLES[name] if name == "open-model" else f"{_TITLES[name]} this job")
            button.clicked.connect(lambda _on=False, name=name: self._ask(name))
            self._buttons[name] = button
            head.addWidget(button)
        menu = QMenu(self)
        self._actions: dict[str, QAction] = {}
        exports = ("export", "export-bundle", "export-slurm", "export-notebook")
        for name in (*exports, "import", "folder", "open-model", "copy-id", "remove"):
            if name in ("import", "folder"):
                menu.addSeparator()
            action = menu.addAction(_TITLES[name])
            action.triggered.connect(lambda _on=False, name=name: self._ask(name))
            self._actions[name] = action
        more = QToolButton()
        more.setText("⋯")
        more.setAccessibleName("More actions for this job")
        more.setToolTip("More actions")
        more.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        more.setMenu(menu)
        head.addWidget(more)
        return head

    def _build_tiles(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(12)
        titles = {"progress": "Progress", "speed": "Throughput", "memory": "Memory peak", "time": "Time left"}
        self._tiles = {name: Tile(title) for name, title in titles.items()}
        for tile in self._tiles.values():
            row.addWidget(tile, 1)
        return row

    def _build_result(self) -> QWidget:
        self._result = QFrame()
        self._result.setProperty("card", "true")
        column = QVBoxLayout(self._result)
        column.setContentsMargins(16, 8, 8, 8)
        column.setSpacing(0)
        row = QHBoxLayout()
        row.setSpacing(12)
        column.addLayout(row)
        self._came = ElidedLabel("")
        self._came.setProperty("role", "second")
        self._came.setContentsMargins(0, 0, 8, 6)
        self._came.hide()
        column.addWidget(self._came)
        title = QLabel("Result")
        title.setProperty("role", "caption")
        self._result_name = ElidedLabel("")
        self._result_name.setProperty("role", "body")
        self._result_facts = QLabel()
        self._result_facts.setProperty("role", "second")
        self._result_facts.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        folder = QPushButton("Show folder")
        folder.setProperty("variant", "quiet")
        folder.clicked.connect(lambda: self._ask("folder"))
        row.addWidget(title)
        row.addWidget(self._result_name, 1)
        row.addWidget(self._result_facts)
        row.addWidget(folder)
        self._result.hide()
        return self._result

    def _build_tabs(self) -> QTabBar:
        self.tabs = QTabBar()
        self.tabs.setAccessibleName("Parts of this job")
        self.tabs.setDrawBase(False)
        self.tabs.setExpanding(False)
        for name in _TABS:
            self.tabs.addTab(name)
        return self.tabs


def _in_card(page: QWidget) -> QFrame:
    card = QFrame()
    card.setProperty("card", "true")
    layout = QVBoxLayout(card)
    layout.setContentsMargins(12, 12, 12, 12)
    layout.addWidget(page)
    return card


def _progress_remark(job: JobRecord) -> str:
    if job.state == "done":
        # What it was at when it last said so is over.
        return "done"
    said = " · ".join(part for part in dict.fromkeys((progress_text(job), job.progress_label)) if part)
    return said or ("waiting for its turn" if job.state == "queued" else "nothing reported yet")
