"""The window's heartbeat: asks the engine room what is new, and tells it to the pages."""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer

from ui.context import AppContext
from workbench.errors import WorkbenchError
from workbench.hardware import HardwareSampler

#: Ten times a second while jobs run, so that plots move smoothly; less while nothing does.
_BUSY_MS = 100
_IDLE_MS = 300
_HASH_MS = 250
_READING_MS = 1000
#: After a failure (a full disk, a database that is gone) the next look waits.
_TROUBLE_MS = 3000


class Pulse(QObject):
    """Three timers, no thread: jobs, hashes, hardware."""

    def __init__(self, context: AppContext, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._sampler: HardwareSampler | None = None
        self._last_trouble = ""
        self._jobs = self._timer(_BUSY_MS, self.poll_jobs)
        self._hashes = self._timer(_HASH_MS, self.poll_hashes)
        self._reading = self._timer(_READING_MS, self.read_hardware)

    def start(self) -> None:
        if self._context.session.runner is not None:
            self._jobs.start()
        self._hashes.start()
        self._reading.start()
        # The first look at the drivers takes longest: after the window is painted.
        QTimer.singleShot(0, self, self.read_hardware)

    def stop(self) -> None:
        for timer in (self._jobs, self._hashes, self._reading):
            timer.stop()

    def watch_hardware(self, on: bool) -> None:
        """A window that nobody sees needs no plots."""
        if on:
            self._reading.start()
        else:
            self._reading.stop()

    def poll_jobs(self) -> None:
        """Follow the jobs; start those whose turn it is."""
        runner = self._context.session.runner
        if runner is None:
            return
        try:
            updates = runner.poll()
        except WorkbenchError as error:
            self._tell_trouble(error)
            self._jobs.setInterval(_TROUBLE_MS)
            return
        self._last_trouble = ""
        self._jobs.setInterval(_BUSY_MS if runner.running else _IDLE_MS)
        if updates:
            self._context.jobs_changed.emit(updates)
            if any(each.job.state == "done" and each.job.result_model_id for each in updates):
                self._context.models_changed.emit()

    def poll_hashes(self) -> None:
        """Go on with the hashes of models that have none yet."""
        try:
            progress = self._context.session.hashes.poll()
        except WorkbenchError as error:
            self._tell_trouble(error)
            return
        if progress:
            self._context.hashed.emit(progress)

    def read_hardware(self) -> None:
        """Read the machine's counters once."""
        if self._sampler is None:
            self._sampler = HardwareSampler()
        self._context.reading.emit(self._sampler.sample())

    def _tell_trouble(self, error: WorkbenchError) -> None:
        if str(error) != self._last_trouble:
            self._last_trouble = str(error)
            self._context.message.emit("bad", str(error))

    def _timer(self, interval: int, call: object) -> QTimer:
        timer = QTimer(self)
        timer.setInterval(interval)
        timer.timeout.connect(call)
        return timer
