"""Every environment that the home keeps, also those that no plugin needs any more."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QDialog, QFrame, QHBoxLayout, QPushButton, QScrollArea, QVBoxLayout, QWidget

from ui import format as show
from ui.panels.plugins.environment_rows import EnvironmentRows
from ui.widgets.card import label
from workbench.environments.environment import Environment


class EnvironmentsDialog(QDialog):
    """Signals:
    remove_wanted: The key of an environment.
    """

    remove_wanted = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Environments")
        self.resize(560, 420)
        self._words = label("", "second", self, wrap=True)
        self.rows = EnvironmentRows()
        self.rows.remove_wanted.connect(self.remove_wanted)
        inner = QWidget()
        inside = QVBoxLayout(inner)
        inside.setContentsMargins(0, 0, 8, 0)
        inside.addWidget(self.rows)
        inside.addStretch(1)
        scroll = QScrollArea(self)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scroll.setWidget(inner)
        close = QPushButton("Close", self)
        close.setDefault(True)
        close.clicked.connect(self.accept)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(close)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 22, 24, 20)
        column.setSpacing(14)
        column.addWidget(label("Environments", "title", self))
        column.addWidget(self._words)
        column.addWidget(scroll, 1)
        column.addLayout(row)

    def show_environments(self, kept: Sequence[Environment]) -> None:
        """Show these and no others."""
        total = show.bytes(sum(each.size_bytes for each in kept))
        self._words.setText(
            f"{len(kept)} kept, {total} together. A job that needs one which is gone makes it anew."
            if kept
            else "None is kept. A job whose plugin requires what Tenfold lacks makes one."
        )
        self.rows.show_environments([(each.requirements, each) for each in kept])
