"""Makes an environment for the window before a job needs it, in a process of its own."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QObject, Signal

from ui.json_process import JsonProcess
from workbench.environments.environment import key_of
from workbench.home import Home


class EnvironmentMaker(QObject):
    """One at a time.

    Signals:
        told: The key of the one that is being made, and what the installer says.
        ended: It is made, or it was stopped; carries a sentence, empty where it was stopped.
        failed: Why it can't be made: a `WorkbenchError`.
    """

    told = Signal(str, str)
    ended = Signal(str)
    failed = Signal(object)

    def __init__(self, home: Home, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._home = home
        self._key = ""
        self._process = JsonProcess("workbench.plugin_home.process", self)
        self._process.answered.connect(self._take)
        self._process.failed.connect(self._fail)

    @property
    def key(self) -> str:
        """The key of the one that is being made; empty while there is none."""
        return self._key

    def make(self, requirements: tuple[str, ...]) -> None:
        """Begin; what was begun before is ended."""
        self._key = key_of(requirements)
        self._process.ask(["make-environment", *requirements], {"TENFOLD_HOME": str(self._home.root)})

    def stop(self) -> None:
        """End it. What is half made does not count, and is made anew by whoever needs it."""
        if self._key:
            self.close()
            self.ended.emit("")

    def close(self) -> None:
        """End it without a word, since the window goes."""
        self._process.stop()
        self._key = ""

    def _take(self, answer: dict[str, Any]) -> None:
        if "line" in answer:
            self.told.emit(self._key, str(answer["line"]))
        elif "done" in answer:
            self._key = ""
            self.ended.emit(str(answer["done"]))

    def _fail(self, error: object) -> None:
        self._key = ""
        self.failed.emit(error)
