"""Pairs of a word and its figure, one line each, values at the right edge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QLabel, QWidget

from ui.widgets.elided_label import ElidedLabel


@dataclass(frozen=True, slots=True)
class Fact:
    """One line; `tip` is shown where the pointer rests, and is the whole of a value that may be cut."""

    label: str
    value: str
    tip: str = ""


class FactGrid(QWidget):
    """Lines of facts. Values can be selected and copied by mouse; a long one is cut in its middle."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(16)
        self._grid.setVerticalSpacing(7)
        self._grid.setColumnStretch(1, 1)
        self._lines: list[tuple[QLabel, ElidedLabel]] = []

    def set_facts(self, facts: Sequence[Fact]) -> None:
        """Show these lines and no others; labels are kept, so that nothing flickers."""
        for row, fact in enumerate(facts):
            label, value = self._line(row)
            label.setText(fact.label)
            value.setText(fact.value)
            value.setToolTip(fact.tip or fact.value)
            value.setAccessibleName(f"{fact.label}: {fact.value}")
            label.show()
            value.show()
        for label, value in self._lines[len(facts) :]:
            label.hide()
            value.hide()

    def _line(self, row: int) -> tuple[QLabel, ElidedLabel]:
        while len(self._lines) <= row:
            label = QLabel(self)
            label.setProperty("role", "second")
            label.setTextFormat(Qt.TextFormat.PlainText)
            value = ElidedLabel("", Qt.TextElideMode.ElideMiddle, self)
            value.setProperty("role", "body")
            value.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            place = len(self._lines)
            self._grid.addWidget(label, place, 0)
            self._grid.addWidget(value, place, 1)
            self._lines.append((label, value))
        return self._lines[row]
