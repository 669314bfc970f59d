"""A model's SHA-256: how far the reading is, and once known the hash with a button that copies it."""

from __future__ import annotations

from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from ui import format as show
from ui.widgets.elided_label import ElidedLabel
from ui.widgets.progress_line import ProgressLine
from workbench.library.hashing import HashProgress


class HashRow(QWidget):
    """Shows the hash of the model that it was last told of."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._sha256 = ""
        label = QLabel("SHA-256", self)
        label.setProperty("role", "second")
        self._value = ElidedLabel("", parent=self)
        self._value.setProperty("role", "body")
        self.copy = QPushButton("Copy", self)
        self.copy.setProperty("variant", "quiet")
        self.copy.setAccessibleName("Copy the SHA-256")
        self.copy.clicked.connect(self._copy)
        self._line = ProgressLine(self)
        row = QHBoxLayout()
        row.setSpacing(10)
        row.addWidget(label)
        row.addStretch(1)
        row.addWidget(self._value)
        row.addWidget(self.copy)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(row)
        column.addWidget(self._line)

    def show_known(self, sha256: str) -> None:
        self._sha256 = sha256
        self._say(f"{sha256[:8]}…{sha256[-6:]}", tip=sha256)
        self.copy.show()
        self._line.hide()

    def show_waiting(self) -> None:
        self._sha256 = ""
        self._say("waits its turn", tip="Computed in the background, one model after the other")
        self.copy.hide()
        self._line.hide()

    def show_progress(self, progress: HashProgress) -> None:
        if progress.sha256:
            self.show_known(progress.sha256)
            return
        self._sha256 = ""
        self.copy.hide()
        if progress.error:
            self._say("could not be computed", tip=str(progress.error))
            self._line.hide()
            return
        share = progress.done_bytes / progress.total_bytes if progress.total_bytes else 0.0
        self._say(f"{share * 100:.0f} %", tip=f"{show.bytes(progress.done_bytes)} read")
        self._line.set_share(share)
        self._line.show()

    def _say(self, text: str, *, tip: str) -> None:
        self._value.setText(text)
        self._value.setToolTip(tip)
        self._value.setAccessibleName(f"SHA-256: {tip}")

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self._sha256)
        self.copy.setText("Copied")
