"""Runs a module of the engine room as a child process and hands over the JSON that it prints."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtCore import QObject, QProcess, QProcessEnvironment, Signal

from workbench.errors import WorkbenchError

#: A child that prints more than this has gone wrong.
_MAX_ANSWER_BYTES = 64_000_000


class JsonProcess(QObject):
    """One question at a time, asked of `python -m MODULE …`; a new one takes the place of the old.

    The window goes on while the child works. The child prints one JSON object a line; an object of the
    form `{"error": {"kind", "message", "remedy"}}` is a failure.

    Signals:
        answered: One object that the child printed.
        failed: Why there is no (further) answer: a `WorkbenchError`.
        finished: The child ended after answering.
    """

    answered = Signal(dict)
    failed = Signal(object)
    finished = Signal()

    def __init__(self, module: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._module = module
        self._process: QProcess | None = None
        self._rest = b""
        self._refused = False

    @property
    def is_running(self) -> bool:
        return self._process is not None

    def ask(self, arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        """Start the child; a child that is still at work is ended first."""
        self.stop()
        process = QProcess(self)
        inherited = QProcessEnvironment.systemEnvironment()
        inherited.insert("PYTHONIOENCODING", "utf-8")
        for name, value in (environment or {}).items():
            inherited.insert(name, value)
        process.setProcessEnvironment(inherited)
        process.readyReadStandardOutput.connect(self._read)
        process.finished.connect(self._end)
        process.errorOccurred.connect(self._error)
        self._process = process
        self._rest = b""
        self._refused = False
        process.start(sys.executable, ["-m", self._module, *arguments])

    def stop(self) -> None:
        """End the child, if there is one; nothing more is heard of it."""
        process, self._process = self._process, None
        if process is None:
            return
        process.readyReadStandardOutput.disconnect(self._read)
        process.finished.disconnect(self._end)
        process.errorOccurred.disconnect(self._error)
        process.kill()
        # A killed child is gone within milliseconds; a QProcess must not be deleted before that.
        process.waitForFinished(2000)
        process.deleteLater()

    def _read(self) -> None:
        if self._process is None:
            return
        self._rest += self._process.readAllStandardOutput().data()
        *lines, self._rest = self._rest.split(b"\n")
        if len(self._rest) > _MAX_ANSWER_BYTES:
            self.stop()
            self.failed.emit(WorkbenchError(f"{self._module} printed more than anyone can read."))
            return
        for line in lines:
            if line.strip():
                self._hand_over(line)

    def _hand_over(self, line: bytes) -> None:
        try:
            answer: Any = json.loads(line)
        except ValueError:
            return  # A library's own notice on standard output; the answers are JSON.
        if not isinstance(answer, dict):
            return
        failure = answer.get("error")
        if isinstance(failure, dict):
            self._refused = True
            self.failed.emit(
                WorkbenchError(
                    str(failure.get("message", "")),
                    remedy=str(failure.get("remedy", "")),
                    details=str(failure.get("details", "")),
                )
            )
        else:
            self.answered.emit(answer)

    def _end(self, code: int) -> None:
        process = self._process
        if process is None:
            return
        self._read()
        if self._rest.strip():
            self._hand_over(self._rest)
        details = process.readAllStandardError().data().decode("utf-8", "replace")
        self._process = None
        process.deleteLater()
        if code == 0:
            self.finished.emit()
        elif not self._refused:
            last = details.strip().splitlines()[-1:] or ["it gave no reason"]
            self.failed.emit(WorkbenchError(f"No answer came: {last[0].rstrip('.')}.", details=details))

    def _error(self, error: QProcess.ProcessError) -> None:
        if error is QProcess.ProcessError.FailedToStart and self._process is not None:
            process, self._process = self._process, None
            process.deleteLater()
            self.failed.emit(
                WorkbenchError(
                    f"{sys.executable} could not be started: {process.errorString()}.",
                    remedy="Check that Tenfold's own Python is still where it was installed.",
                )
            )
