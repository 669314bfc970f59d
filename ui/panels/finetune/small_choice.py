"""One of an operation's choices on a single line: a caption and a combo box."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QWidget

from ui.widgets.card import label
from ui.widgets.form_inputs import CalmComboBox
from workbench.params import FieldSpec

_LETTERS = 9


class SmallChoice(QWidget):
    """Hidden where the operation has no such parameter.

    Signals:
        chosen: A person chose another value.
    """

    chosen = Signal(str)

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._title = title
        self.combo = CalmComboBox()
        self.combo.setMinimumContentsLength(_LETTERS)
        self.combo.setAccessibleName(title)
        caption = label(title, "caption")
        caption.setBuddy(self.combo)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(caption)
        row.addWidget(self.combo, 1)
        self.combo.activated.connect(lambda _place: self.chosen.emit(self.combo.currentData()))

    def set_spec(self, spec: FieldSpec | None) -> None:
        """Offer a parameter's choices, with its help as a tooltip."""
        self.setVisible(spec is not None and bool(spec.choices))
        if spec is None:
            return
        before = self.combo.currentData()
        self.combo.clear()
        for choice in spec.choices:
            self.combo.addItem(choice.title or choice.value.replace("-", " ").capitalize(), choice.value)
            self.combo.setItemData(self.combo.count() - 1, choice.help, Qt.ItemDataRole.ToolTipRole)
        self.setToolTip(spec.help)
        self.combo.setAccessibleDescription(spec.help)
        self.set_value(before if before is not None else spec.default)

    def set_value(self, value: object) -> None:
        place = self.combo.findData(value)
        if place >= 0 and place != self.combo.currentIndex():
            self.combo.setCurrentIndex(place)
