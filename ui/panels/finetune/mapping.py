"""What the rows are: found by itself, or said by hand, part by part."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from ui.panels.finetune.data_choice import KINDS
from ui.widgets.card import label
from ui.widgets.elided_label import ElidedLabel
from ui.widgets.form_inputs import CalmComboBox
from workbench.data.layout import parts_of

_LETTERS = 9
_USUAL = "by its usual name"


class MappingForm(QWidget):
    """A kind, and for one that is said by hand the field that holds each part.

    Signals:
        edited: Carries the kind, and pairs of part and field for the parts that a field was named for.
        fields_wanted: The names of the fields are needed.
    """

    edited = Signal(str, tuple)
    fields_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._known: dict[str, str] = {}
        self._kind = ""
        self.kind = CalmComboBox()
        self.kind.setMinimumContentsLength(_LETTERS)
        self.kind.setAccessibleName("What the rows are")
        for name, title in KINDS.items():
            self.kind.addItem(title, name)
        caption = label("Rows", "caption")
        caption.setBuddy(self.kind)
        #: The line with the kind; whoever shows this form may add to it.
        self.head = QHBoxLayout()
        self.head.setSpacing(8)
        self.head.addWidget(caption)
        self.head.addWidget(self.kind, 1)
        self._parts = QWidget()
        self._grid = QGridLayout(self._parts)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(12)
        self._grid.setVerticalSpacing(6)
        self._grid.setColumnStretch(2, 1)
        self.combos: dict[str, CalmComboBox] = {}
        self._samples: dict[str, ElidedLabel] = {}
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(self.head)
        column.addWidget(self._parts)
        self.kind.activated.connect(self._kind_chosen)
        self._make_parts("auto", {})

    def show_mapping(self, kind: str, fields: Mapping[str, str], found: str = "") -> None:
        """Show a mapping, and what was found where none was said (keys of `KINDS`, commas between)."""
        if kind != self._kind:
            self.kind.setCurrentIndex(self.kind.findData(kind))
            self._make_parts(kind, fields)
        for part, combo in self.combos.items():
            _choose(combo, fields.get(part))
            self._show_sample(part)
        kinds = [KINDS.get(each, each) for each in found.split(", ") if each]
        one = "Several kinds" if len(kinds) > 1 else "".join(kinds)
        self.kind.setItemText(0, f"{one} (found)" if kinds else KINDS["auto"])
        self.kind.setToolTip(", ".join(kinds))

    def set_known_fields(self, fields: Mapping[str, str]) -> None:
        """The fields that there are, each with a first value to know it by."""
        self._known = dict(fields)
        for part, combo in self.combos.items():
            _fill(combo, self._known, combo.currentData())
            self._show_sample(part)

    def _kind_chosen(self) -> None:
        kind = self.kind.currentData()
        if kind == self._kind:
            return
        self._make_parts(kind, {})
        if self.combos:
            self.fields_wanted.emit()
        self._tell()

    def _make_parts(self, kind: str, fields: Mapping[str, str]) -> None:
        self._kind = kind
        while (item := self._grid.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        self.combos, self._samples = {}, {}
        for row, part in enumerate(() if kind == "auto" else parts_of(kind)):
            caption = label(part.capitalize(), "caption", self._parts)
            combo = CalmComboBox(self._parts)
            combo.setMinimumContentsLength(len(_USUAL) - 2)
            combo.setAccessibleName(f"Field that holds the {part}")
            _fill(combo, self._known, fields.get(part))
            caption.setBuddy(combo)
            combo.activated.connect(self._tell)
            sample = ElidedLabel("", parent=self._parts)
            sample.setProperty("role", "caption")
            for column, widget in enumerate((caption, combo, sample)):
                self._grid.addWidget(widget, row, column)
                widget.show()
            self.combos[part], self._samples[part] = combo, sample
            self._show_sample(part)
        self._parts.setVisible(bool(self.combos))

    def _show_sample(self, part: str) -> None:
        """The first value of the chosen field, so that one sees whether it is the right one."""
        text = self._known.get(self.combos[part].currentData() or "", "")
        self._samples[part].setText(text)

    def _tell(self) -> None:
        chosen = {part: combo.currentData() for part, combo in self.combos.items()}
        for part in chosen:
            self._show_sample(part)
        self.edited.emit(self._kind, tuple((part, field) for part, field in chosen.items() if field))


def _fill(combo: CalmComboBox, known: Mapping[str, str], chosen: str | None) -> None:
    combo.clear()
    combo.addItem(_USUAL, None)
    for name in dict.fromkeys([*known, *([chosen] if chosen else [])]):
        combo.addItem(name, name)
        combo.setItemData(combo.count() - 1, known.get(name, ""), Qt.ItemDataRole.ToolTipRole)
    _choose(combo, chosen)


def _choose(combo: CalmComboBox, field: str | None) -> None:
    place = combo.findData(field) if field else 0
    if place >= 0:
        combo.setCurrentIndex(place)
