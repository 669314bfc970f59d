"""One parameter of an operation in the form of a sweep: whether it varies, and over what."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from ui.models.sweep_axes import value_text
from ui.widgets.card import label
from ui.widgets.form_inputs import CalmComboBox
from workbench.params import FieldSpec, allowed_text

_TITLE_WIDTH, _HOW_WIDTH = 210, 128
#: How a parameter varies: the first for all, the others for numbers.
_LIST, _EVEN, _LOG = "list", "lin", "log"
_HOW = ((_LIST, "Values"), (_EVEN, "Range"), (_LOG, "Log range"))


class VaryRow(QWidget):
    """Begins with what the operation names as worth searching, else with the value that it has.

    Signals:
        edited: Something about it changed.
    """

    edited = Signal()

    def __init__(
        self, spec: FieldSpec, name: str, value: Any, *, on: bool, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.spec = spec
        self.name = name
        self.check = QCheckBox(self)
        self.check.setFixedWidth(_TITLE_WIDTH)
        self.check.setToolTip(f"{spec.title}: {spec.help}")
        self.check.setAccessibleName(f"Vary {spec.title}")
        self.check.setChecked(on)
        self.how = CalmComboBox(self)
        self.how.setFixedWidth(_HOW_WIDTH)
        self.how.setAccessibleName(f"How {spec.title} varies")
        for how, title in _HOW if spec.kind in ("int", "float") else _HOW[:1]:
            self.how.addItem(title, how)
        self.values = QLineEdit(self)
        self.values.setAccessibleName(f"Values of {spec.title}, separated by commas")
        self.values.setPlaceholderText(allowed_text(spec))
        self.low, self.high = (self._end(word) for word in ("Least", "Largest"))
        self.problem = label("", "caption", self, wrap=True)
        self.problem.setProperty("tone", "bad")
        self.problem.hide()
        self._lay_out()
        self._begin(value)
        self._follow()
        self.check.toggled.connect(self._follow)
        self.how.currentIndexChanged.connect(self._follow)
        for edit in (self.values, self.low, self.high):
            edit.textEdited.connect(self._follow)

    def said(self) -> str:
        """What it says, as the command line would: `rank=4,8`; empty where it does not vary."""
        if not self.check.isChecked():
            return ""
        how = self.how.currentData()
        if how == _LIST:
            return f"{self.name}={self.values.text().strip()}"
        return f"{self.name}={how}:{self.low.text().strip()}:{self.high.text().strip()}"

    @property
    def is_range(self) -> bool:
        """Whether it varies over a range, which is drawn from."""
        return self.check.isChecked() and self.how.currentData() != _LIST

    def missing(self) -> str:
        """What is still to be typed, in words; empty where nothing is."""
        if self.how.currentData() == _LIST:
            return "" if self.values.text().strip() else "Type its values, separated by commas."
        ends = self.low.text().strip() and self.high.text().strip()
        return "" if ends else "Type both ends of the range."

    def show_problem(self, text: str) -> None:
        """Say below it what is wrong; nothing where the text is empty."""
        self.problem.setText(text)
        self.problem.setVisible(bool(text))

    def focus(self) -> None:
        """Go to where its values are typed."""
        (self.values if self.how.currentData() == _LIST else self.low).setFocus()

    def resizeEvent(self, event: object) -> None:
        room = _TITLE_WIDTH - 34
        title = self.spec.title
        self.check.setText(self.fontMetrics().elidedText(title, Qt.TextElideMode.ElideRight, room))

    def _follow(self, *_: object) -> None:
        on, listed = self.check.isChecked(), self.how.currentData() == _LIST
        for widget in (self.how, self.values, self.low, self.high):
            widget.setEnabled(on)
        self.values.setVisible(listed)
        for widget in (self.low, self.high, self._to):
            widget.setVisible(not listed)
        if not on:
            self.show_problem("")
        self.edited.emit()

    def _begin(self, value: Any) -> None:
        search = self.spec.search
        if search is not None and search.low is not None and search.high is not None:
            self.how.setCurrentIndex(self.how.findData(_LOG if search.log else _EVEN))
            self.low.setText(f"{search.low:g}")
            self.high.setText(f"{search.high:g}")
        elif search is not None and search.values:
            self.values.setText(", ".join(value_text(each) for each in search.values))
        elif self.spec.kind == "bool":
            self.values.setText("true, false")
        elif value not in (None, "", [], {}):
            self.values.setText(value_text(value))
        self.values.setCursorPosition(0)

    def _end(self, word: str) -> QLineEdit:
        made = QLineEdit(self)
        made.setAccessibleName(f"{word} value of {self.spec.title}")
        made.setPlaceholderText(word.lower())
        return made

    def _lay_out(self) -> None:
        self._to = label("to", "second", self)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self.check)
        row.addWidget(self.how)
        row.addWidget(self.values, 1)
        row.addWidget(self.low, 1)
        row.addWidget(self._to)
        row.addWidget(self.high, 1)
        below = QHBoxLayout()
        below.setContentsMargins(_TITLE_WIDTH + 8, 0, 0, 0)
        below.addWidget(self.problem)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(3)
        column.addLayout(row)
        column.addLayout(below)
