"""An input that is a list of things to tick, each with what a person should know of it."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QCheckBox, QLabel, QVBoxLayout, QWidget

from workbench.params import Choice


class ChecksInput(QWidget):
    """One box for each choice; a value that is no choice any more has one too, so that nothing gets lost.

    Args:
        title: The field's title, for screen readers.
        none: What is said where there is nothing to tick.
    """

    edited = Signal()

    def __init__(
        self, title: str, choices: Sequence[Choice], none: str, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._title = title
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(6)
        self._nothing = QLabel(none, self)
        self._nothing.setProperty("role", "second")
        self._nothing.setVisible(not choices)
        self._column.addWidget(self._nothing)
        self.boxes: dict[str, QCheckBox] = {}
        for choice in choices:
            self._add(choice.value, choice.title or choice.value, choice.help)

    def values(self) -> list[str]:
        """What is ticked, in the order of the boxes."""
        return [value for value, box in self.boxes.items() if box.isChecked()]

    def set_values(self, values: Sequence[str]) -> None:
        """Tick these and no others."""
        for value in values:
            if value not in self.boxes:
                self._add(value, value, "No plugin that is switched on offers it.")
        for value, box in self.boxes.items():
            box.setChecked(value in values)

    def _add(self, value: str, text: str, help: str) -> None:
        box = QCheckBox(text.replace("&", "&&"), self)
        box.setToolTip(help)
        box.setAccessibleName(f"{self._title}: {text}")
        box.setAccessibleDescription(help)
        box.toggled.connect(self.edited)
        self.boxes[value] = box
        self._column.addWidget(box)
        self._nothing.hide()
        if help:
            told = QLabel(help, self)
            told.setProperty("role", "caption")
            told.setWordWrap(True)
            told.setTextFormat(Qt.TextFormat.PlainText)
            told.setContentsMargins(28, 0, 0, 0)
            self._column.addWidget(told)
        if self.focusProxy() is None:
            self.setFocusProxy(box)
