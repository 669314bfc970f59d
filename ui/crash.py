"""The last resort: an error that nobody caught is written to the home's log and told to the person."""

from __future__ import annotations

import logging
import sys
import traceback
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QDialog, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from ui.widgets.message import MessageBar
from workbench.errors import WorkbenchError
from workbench.home import Home

_LOG_BYTES = 1_000_000
_logger = logging.getLogger("tenfold.window")


class MessageDialog(QDialog):
    """One message with its details folded away, and buttons."""

    def __init__(
        self,
        title: str,
        message: str,
        remedy: str,
        details: str,
        buttons: tuple[QPushButton, ...] = (),
        kind: str = "bad",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self.setMinimumWidth(520)
        self.bar = MessageBar(kind, message, remedy, details)
        close = QPushButton("Close")
        close.clicked.connect(self.reject)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addStretch(1)
        row.addWidget(close)
        for button in buttons:
            row.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 20, 20, 16)
        column.setSpacing(16)
        column.addWidget(self.bar)
        column.addStretch(1)
        column.addLayout(row)


def log_file(home: Home) -> Path:
    return home.root / "log" / "window.log"


def start_log(home: Home) -> None:
    """Write what goes wrong in the window to the home's log (1 MB, one older one kept)."""
    try:
        log_file(home).parent.mkdir(parents=True, exist_ok=True)
        handler = RotatingFileHandler(log_file(home), maxBytes=_LOG_BYTES, backupCount=1, encoding="utf-8")
    except OSError:
        # A home that can't be written to is told of when it is opened.
        return
    for older in list(_logger.handlers):
        _logger.removeHandler(older)
        older.close()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    _logger.addHandler(handler)
    _logger.setLevel(logging.INFO)
    _logger.propagate = False


class Uncaught:
    """Python's `sys.excepthook` of the window: logs, prints, and shows each error once."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._shown: set[str] = set()
        self._open = False

    def install(self) -> None:
        sys.excepthook = self

    def __call__(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            app = QApplication.instance()
            if app is not None:
                app.quit()
            return
        details = "".join(traceback.format_exception(kind, error, trace))
        _logger.error("%s", details)
        sys.__excepthook__(kind, error, trace)
        if details in self._shown or QApplication.instance() is None:
            return
        self._shown.add(details)
        # Not from inside a paint or a slot: a dialog there may meet half-made widgets.
        QTimer.singleShot(0, lambda: self._show(error, details))

    def _show(self, error: BaseException, details: str) -> None:
        if self._open:
            return
        self._open = True
        if isinstance(error, WorkbenchError):
            message, remedy = error.message, error.remedy
        else:
            message = "Something in the window went wrong. Your jobs and models are not touched by it."
            remedy = f"You can go on. The details are in {log_file(self._home)}."
        dialog = MessageDialog("Tenfold", message, remedy, details, parent=QApplication.activeWindow())
        dialog.exec()
        dialog.deleteLater()
        self._open = False
