"""The environments that a plugin's jobs run in: what they hold, their sizes, and their removal."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from ui import format as show
from ui.widgets.card import Card, label
from ui.widgets.elided_label import ElidedLabel
from workbench.environments.environment import Environment


class EnvironmentRows(Card):
    """Hidden where a plugin needs none.

    Signals:
        remove_wanted: The key of an environment.
    """

    remove_wanted = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Environment of its own", parent)
        self._words = label("", "second", self, wrap=True)
        self.column.addWidget(self._words)
        self._rows = QVBoxLayout()
        self._rows.setSpacing(8)
        self.column.addLayout(self._rows)
        self.buttons: list[QPushButton] = []
        self.hide()

    def show_environments(self, wanted: Sequence[tuple[tuple[str, ...], Environment | None]]) -> None:
        """Show, for each set of requirements, the environment that holds it, or that there is none yet."""
        while (item := self._rows.takeAt(0)) is not None:
            row = item.widget()
            if row is not None:
                row.hide()
                row.setParent(None)
                row.deleteLater()
        self.buttons = []
        self.setVisible(bool(wanted))
        self._words.setText(
            "It requires what Tenfold lacks, or has in another version. Its jobs run in a Python of their "
            "own: the first of them makes it, which downloads the packages, and the next ones use it."
        )
        for requirements, made in wanted:
            self._rows.addWidget(self._row(requirements, made))

    def _row(self, requirements: tuple[str, ...], made: Environment | None) -> QWidget:
        row = QWidget(self)
        line = QHBoxLayout(row)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(12)
        column = QVBoxLayout()
        column.setSpacing(2)
        name = ElidedLabel(", ".join(requirements), Qt.TextElideMode.ElideRight, row)
        name.setProperty("role", "body")
        column.addWidget(name)
        state = "Not made yet"
        if made is not None:
            state = f"{show.bytes(made.size_bytes)} · {', '.join(made.packages)}"
        told = ElidedLabel(state, Qt.TextElideMode.ElideRight, row)
        told.setProperty("role", "caption")
        column.addWidget(told)
        line.addLayout(column, 1)
        if made is not None:
            key = made.key
            remove = QPushButton("Remove", row)
            remove.setAccessibleName(f"Remove the environment with {', '.join(requirements)}")
            remove.setToolTip("The next job that needs it makes it anew")
            remove.clicked.connect(lambda: self.remove_wanted.emit(key))
            self.buttons.append(remove)
            line.addWidget(remove, 0, Qt.AlignmentFlag.AlignVCenter)
        return row
