"""The drawer at the foot of the window: the jobs that run, on whatever page one is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from ui import format
from ui.icons import pixmap
from ui.theme import Theme
from ui.widgets.card import label
from ui.widgets.elided_label import ElidedLabel
from ui.widgets.job_words import TimeLeft, progress_text, share_done, time_left_text, where_it_stands
from ui.widgets.progress_line import ProgressLine
from workbench.jobs.events import Progress
from workbench.jobs.records import JobRecord
from workbench.jobs.runner import JobUpdate

_ROWS = 2


class JobDrawer(QFrame):
    """One line for each job that runs (two at most), hidden when none does.

    Args:
        resumable: Whether the job with this id can be paused.

    Signals:
        wanted: `open`, `pause` or `cancel`, and the job's id.
        height_changed: How high it stands now, in pixels; 0 while it is hidden.
        counted: How many jobs run, wait, and use the network.
    """

    wanted = Signal(str, str)
    height_changed = Signal(int)
    counted = Signal(int, int, int)

    def __init__(self, theme: Theme, resumable: Callable[[str], bool], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("drawer")
        self._read_resumable = resumable
        self._resumable: dict[str, bool] = {}
        self.setAccessibleName("Running jobs")
        self._jobs: dict[str, JobRecord] = {}
        self._left: dict[str, TimeLeft] = {}
        self.rows = [JobRow(theme, self) for _ in range(_ROWS)]
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(20, 6, 20, 6)
        self._column.setSpacing(2)
        for row in self.rows:
            self._column.addWidget(row)
            row.wanted.connect(self.wanted)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.hide()

    def set_jobs(self, jobs: Iterable[JobRecord]) -> None:
        """Begin with these jobs."""
        self._jobs = {job.id: job for job in jobs if job.state in ("queued", "running")}
        self._show()

    def take(self, updates: Iterable[JobUpdate]) -> None:
        """Take in what the runner told."""
        for update in updates:
            job = update.job
            if job.state in ("queued", "running"):
                self._jobs[job.id] = job
            else:
                self._jobs.pop(job.id, None)
                self._left.pop(job.id, None)
                self._resumable.pop(job.id, None)
                continue
            left = self._left.setdefault(job.id, TimeLeft())
            for event in update.events:
                if isinstance(event, Progress):
                    left.report(event.t, event.done, event.total)
        self._show()

    def _show(self) -> None:
        running = sorted(
            (job for job in self._jobs.values() if job.state == "running"),
            key=lambda job: job.started_at or 0,
        )
        waiting = len(self._jobs) - len(running)
        more = len(running) - _ROWS
        for place, row in enumerate(self.rows):
            row.setVisible(place < len(running))
            if place >= len(running):
                continue
            job = running[place]
            last = place == min(len(running), _ROWS) - 1
            left = self._left.get(job.id)
            row.show_job(
                job,
                left.seconds(time.time()) if left else None,
                _others(more, waiting) if last else "",
                can_pause=self._can_pause(job.id),
            )
        before = 0 if self.isHidden() else self.height()
        self.setVisible(bool(running))
        after = self.sizeHint().height() if running else 0
        if after != before:
            self.height_changed.emit(after)
        network = sum(1 for job in running if job.needs == "network")
        self.counted.emit(len(running), waiting, network)

    def _can_pause(self, job_id: str) -> bool:
        if job_id not in self._resumable:
            self._resumable[job_id] = self._read_resumable(job_id)
        return self._resumable[job_id]


class JobRow(QWidget):
    """One running job: a click anywhere on it, or Enter, opens it."""

    wanted = Signal(str, str)

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self._id = ""
        self._title = ""
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self._sign = QLabel()
        self._sign.setFixedWidth(16)
        self.title = QPushButton()
        self.title.setProperty("variant", "quiet")
        self.title.setProperty("link", "true")
        self.title.setFlat(True)
        self.title.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.line = ProgressLine()
        self.line.setMaximumWidth(320)
        self.words = ElidedLabel("")
        self.words.setProperty("role", "second")
        self._others = label("", "caption")
        self.pause = self._button("Pause", "pause")
        self.cancel = self._button("Cancel", "cancel")
        self.title.clicked.connect(lambda: self.wanted.emit("open", self._id))
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(10)
        row.addWidget(self._sign)
        row.addWidget(self.title, 3)
        row.addWidget(self.line, 2)
        row.addWidget(self.words, 3)
        row.addWidget(self._others)
        row.addWidget(self.pause)
        row.addWidget(self.cancel)
        theme.changed.connect(self._dress)
        self._dress()

    def show_job(self, job: JobRecord, seconds_left: float | None, others: str, *, can_pause: bool) -> None:
        self._id = job.id
        self.pause.setVisible(can_pause)
        share = share_done(job)
        self._title = job.title
        self._fit_title()
        self.title.setToolTip(f"Open “{job.title}”")
        self.title.setAccessibleName(f"Open job {job.title}")
        self.line.set_share(share)
        self.line.setAccessibleName(f"Progress of {job.title}")
        parts = [format.percent(share)] if share is not None else []
        parts += filter(None, (where_it_stands(job), progress_text(job)))
        parts = parts or ["starting"]
        if seconds_left is not None:
            parts.append(f"{time_left_text(seconds_left)} left")
        asked = job.reason if job.reason.startswith("Asked to") else ""
        self.words.setText(" · ".join([asked.rstrip(".").lower()] if asked else parts))
        self._others.setText(others)
        self._others.setVisible(bool(others))
        self.pause.setAccessibleName(f"Pause {job.title}")
        self.cancel.setAccessibleName(f"Cancel {job.title}")
        self.pause.setEnabled(not asked)
        self.cancel.setEnabled(asked != "Asked to cancel.")

    def sizeHint(self) -> QSize:
        return QSize(400, 34)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit_title()

    def _fit_title(self) -> None:
        self.layout().activate()
        width = max(self.title.width() - 24, 60)
        title = self.title.fontMetrics().elidedText(self._title, Qt.TextElideMode.ElideRight, width)
        self.title.setText(title.replace("&", "&&"))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.wanted.emit("open", self._id)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.wanted.emit("open", self._id)
            return
        super().keyPressEvent(event)

    def _button(self, text: str, name: str) -> QPushButton:
        button = QPushButton(text)
        button.clicked.connect(lambda: self.wanted.emit(name, self._id))
        return button

    def _dress(self) -> None:
        self._sign.setPixmap(pixmap("play", self._theme.tokens.accent, 16, self.devicePixelRatioF()))


def _others(running: int, waiting: int) -> str:
    parts = [f"{running} more running"] if running > 0 else []
    if waiting:
        parts.append(f"{waiting} waiting")
    return " · ".join(parts)
