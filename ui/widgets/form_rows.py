"""Inputs made of rows: pairs of name and value, and lists."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)


class _Row(QWidget):
    """One removable row: a value, or a name and a value."""

    edited = Signal()
    removed = Signal(object)

    def __init__(self, title: str, *, pair: bool, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        self.name = QLineEdit()
        self.value = QLineEdit()
        self.value.setPlaceholderText("value")
        self.value.setAccessibleName(f"{title}, value")
        if pair:
            self.name.setPlaceholderText("name")
            self.name.setAccessibleName(f"{title}, name")
            layout.addWidget(self.name, 3)
            layout.addWidget(QLabel("="))
            self.name.textChanged.connect(self.edited)
        else:
            self.name.setParent(None)
        layout.addWidget(self.value, 2 if pair else 1)
        self.value.textChanged.connect(self.edited)
        remove = QToolButton()
        remove.setText("×")
        remove.setToolTip("Remove this row")
        remove.setAccessibleName(f"Remove this row of {title}")
        remove.clicked.connect(lambda: self.removed.emit(self))
        layout.addWidget(remove)


class RowsInput(QWidget):
    """A growing list of rows, each a value or (with `pair`) a name and a value."""

    edited = Signal()

    def __init__(self, title: str, *, pair: bool, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._title = title
        self._pair = pair
        self._rows: list[_Row] = []
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(6)
        self.add_button = QPushButton("Add a row")
        self.add_button.setProperty("variant", "quiet")
        self.add_button.setAccessibleName(f"Add a row to {title}")
        self.add_button.clicked.connect(self._add_and_focus)
        self._layout.addWidget(self.add_button, 0, Qt.AlignmentFlag.AlignLeft)
        self.setFocusProxy(self.add_button)

    def pairs(self) -> dict[str, str]:
        """The rows with a name, in order; a later row of the same name wins."""
        return {
            row.name.text().strip(): row.value.text().strip() for row in self._rows if row.name.text().strip()
        }

    def values(self) -> list[str]:
        return [row.value.text().strip() for row in self._rows if row.value.text().strip()]

    def set_pairs(self, pairs: dict[str, str]) -> None:
        self._clear()
        for name, value in pairs.items():
            row = self._add()
            row.name.setText(name)
            row.value.setText(value)
        self.edited.emit()

    def set_values(self, values: list[str] | tuple[str, ...]) -> None:
        self._clear()
        for value in values:
            self._add().value.setText(value)
        self.edited.emit()

    def problem(self) -> str:
        """What is wrong between the rows (a value without a name, a name twice); empty where nothing is."""
        if not self._pair:
            return ""
        names = [row.name.text().strip() for row in self._rows]
        if any(not name and row.value.text().strip() for name, row in zip(names, self._rows, strict=True)):
            return "A row has a value but no name."
        twice = {name for name in names if name and names.count(name) > 1}
        return f"“{sorted(twice)[0]}” stands there twice." if twice else ""

    def _add_and_focus(self) -> None:
        row = self._add()
        (row.name if self._pair else row.value).setFocus()

    def _add(self) -> _Row:
        row = _Row(self._title, pair=self._pair)
        row.edited.connect(self.edited)
        row.removed.connect(self._remove)
        self._rows.append(row)
        self._layout.insertWidget(self._layout.count() - 1, row)
        return row

    def _remove(self, row: _Row) -> None:
        self._rows.remove(row)
        self._layout.removeWidget(row)
        row.deleteLater()
        self.add_button.setFocus()
        self.edited.emit()

    def _clear(self) -> None:
        for row in self._rows:
            self._layout.removeWidget(row)
            row.deleteLater()
        self._rows.clear()
