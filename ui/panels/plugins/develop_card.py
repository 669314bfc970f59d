"""How to begin with a plugin of one's own: the command that writes one, and the way to link its folder."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QPushButton, QWidget

from ui.widgets.card import Card, label

COMMAND = "tenfold plugin new NAME"


class DevelopCard(Card):
    """Signals:
    link_wanted: The person wants to choose a folder to link.
    copied: The command is in the clipboard.
    """

    link_wanted = Signal()
    copied = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent=parent)
        self.column.setContentsMargins(14, 12, 14, 14)
        self.column.setSpacing(8)
        self.column.addWidget(label("Write your own", "body", self))
        self.column.addWidget(
            label(
                "One command writes a plugin that works. Link its folder: every job then runs what it holds.",
                "caption",
                self,
                wrap=True,
            )
        )
        command = QLineEdit(COMMAND, self)
        command.setReadOnly(True)
        command.setAccessibleName("The command that writes a plugin")
        self.copy = QPushButton("Copy", self)
        self.copy.setAccessibleName("Copy the command that writes a plugin")
        self.link = QPushButton("Link a folder…", self)
        self.copy.clicked.connect(self._copy)
        self.link.clicked.connect(self.link_wanted)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self.copy)
        row.addWidget(self.link)
        row.addStretch(1)
        self.column.addWidget(command)
        self.column.addLayout(row)

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(COMMAND)
        self.copied.emit()
