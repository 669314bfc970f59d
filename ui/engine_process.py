"""Runs one generating process for the window, and hands over what it says as signals."""

from __future__ import annotations

from collections import deque

import msgspec
from PySide6.QtCore import QObject, QProcess, QProcessEnvironment, QTimer, Signal

from workbench.engines.client import engine_command
from workbench.engines.request import LoadOptions
from workbench.engines.wire import (
    Close,
    Command,
    Counted,
    ErrorInfo,
    Load,
    Loaded,
    LoadFailed,
    Loading,
    Reading,
    decode_event,
    encode,
)
from workbench.jobs.exits import words

_KILL_AFTER_MS = 15_000
#: What arrives meanwhile is read together: the window must not wake for every token of a fast model, as it
#: takes the time from the model where both share a CPU.
_READ_MS = 30


class EngineProcess(QObject):
    """A model loaded in a process of its own; a crash there is a signal here.

    Signals:
        loading: How far loading is, 0 to 1.
        loaded: The model is ready; carries a `LoadReport`.
        failed: It could not be loaded, or the process died; carries an `ErrorInfo`. The process is gone.
        emitted: One `Started`, `Delta`, `Finished` or `Failed` of a request.
        counted: A `Counted`.
        reading: A `Reading`, twice a second while it works.
    """

    loading = Signal(float)
    loaded = Signal(object)
    failed = Signal(object)
    emitted = Signal(object)
    counted = Signal(object)
    reading = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._process: QProcess | None = None
        self._ending: list[QProcess] = []
        self._rest = b""
        self._log: deque[str] = deque(maxlen=40)
        self._refused = False
        self._read_soon = QTimer(self)
        self._read_soon.setSingleShot(True)
        self._read_soon.setInterval(_READ_MS)
        self._read_soon.timeout.connect(self._read)

    @property
    def is_running(self) -> bool:
        """Whether there is a process, loading or ready."""
        return self._process is not None

    @property
    def process_id(self) -> int:
        """The process's id; 0 where there is none."""
        return int(self._process.processId()) if self._process is not None else 0

    def load(self, options: LoadOptions) -> None:
        """Start a process and load a model; one that was there is ended first."""
        self.stop()
        process = QProcess(self)
        environment = QProcessEnvironment.systemEnvironment()
        environment.insert("PYTHONIOENCODING", "utf-8")
        process.setProcessEnvironment(environment)
        process.readyReadStandardOutput.connect(self._more_came)
        process.readyReadStandardError.connect(self._read_log)
        process.finished.connect(self._ended)
        process.errorOccurred.connect(self._not_started)
        self._process, self._rest, self._refused = process, b"", False
        self._log.clear()
        program, *arguments = engine_command()
        process.start(program, arguments)
        self.send(Load(options=options))

    def send(self, command: Command) -> None:
        """Send a command; without a process it goes nowhere."""
        if self._process is not None:
            self._process.write(encode(command))

    def stop(self) -> None:
        """End the process without waiting for it; nothing more is heard of it.

        It is asked first, so that it frees its memory, and killed if it does not listen.
        """
        process, self._process = self._process, None
        if process is None:
            return
        self._let_go(process)
        self._ending.append(process)
        process.finished.connect(lambda: self._gone(process))
        process.write(encode(Close()))
        process.closeWriteChannel()
        patience = QTimer(process)
        patience.setSingleShot(True)
        patience.timeout.connect(process.kill)
        patience.start(_KILL_AFTER_MS)
        if process.state() == QProcess.ProcessState.NotRunning:
            self._gone(process)

    def stop_now(self) -> None:
        """End the process and wait until it is gone; for the end of the window."""
        self.stop()
        for process in [*self._ending]:
            if not process.waitForFinished(_KILL_AFTER_MS):
                process.kill()
                process.waitForFinished(2000)

    def _gone(self, process: QProcess) -> None:
        if process in self._ending:
            self._ending.remove(process)
            process.deleteLater()

    def _let_go(self, process: QProcess) -> None:
        process.readyReadStandardOutput.disconnect(self._more_came)
        process.readyReadStandardError.disconnect(self._read_log)
        process.finished.disconnect(self._ended)
        process.errorOccurred.disconnect(self._not_started)

    def _more_came(self) -> None:
        if not self._read_soon.isActive():
            self._read_soon.start()

    def _read(self) -> None:
        if self._process is None:
            return
        self._rest += self._process.readAllStandardOutput().data()
        *lines, self._rest = self._rest.split(b"\n")
        for line in lines:
            if line:
                self._hand_over(line)

    def _hand_over(self, line: bytes) -> None:
        try:
            event = decode_event(line)
        except msgspec.DecodeError:
            return
        match event:
            case Loading(fraction=fraction):
                self.loading.emit(fraction)
            case Loaded(report=report):
                self.loaded.emit(report)
            case LoadFailed(error=error):
                self._refused = True
                self.stop()
                self.failed.emit(error)
            case Counted():
                self.counted.emit(event)
            case Reading():
                self.reading.emit(event)
            case _:
                self.emitted.emit(event)

    def _read_log(self) -> None:
        if self._process is not None:
            text = self._process.readAllStandardError().data().decode("utf-8", "replace")
            self._log.extend(text.splitlines())

    def _ended(self, code: int, status: QProcess.ExitStatus) -> None:
        process = self._process
        if process is None:
            return
        self._read()
        self._read_log()
        self._process = None
        process.deleteLater()
        if not self._refused:
            # Qt gives the signal's number for a process that a signal ended.
            crashed = status == QProcess.ExitStatus.CrashExit
            self.failed.emit(
                ErrorInfo(
                    kind="engine",
                    message=f"The generating process ended: {words(-code if crashed else code)}.",
                    remedy="Load the model again; with a smaller context if memory was short.",
                    details="\n".join(self._log),
                )
            )

    def _not_started(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart and self._process is not None:
            process, self._process = self._process, None
            process.deleteLater()
            self.failed.emit(ErrorInfo(kind="engine", message="The generating process could not be started."))
