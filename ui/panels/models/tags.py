"""The tags of a model: chips to remove, and a field to add more."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QLineEdit, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from ui.widgets.flow_layout import FlowLayout

_SHOWN = 24


class TagsEditor(QWidget):
    """Shows tags; a click, Delete or Backspace on one removes it; Enter or a comma in the field adds.

    Signals:
        edited: The tags as they should be now.
    """

    edited = Signal(tuple)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tags: tuple[str, ...] = ()
        self._chips: list[QPushButton] = []
        self._holder = QWidget(self)
        self._flow = FlowLayout(self._holder)
        policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        policy.setHeightForWidth(True)
        self._holder.setSizePolicy(policy)
        self._field = QLineEdit(self)
        self._field.setPlaceholderText("Add a tag")
        self._field.setAccessibleName("Add a tag")
        self._field.setMaxLength(60)
        self._field.returnPressed.connect(self._add)
        self._field.textEdited.connect(lambda text: self._add() if text.endswith(",") else None)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self._holder)
        column.addWidget(self._field)

    @property
    def field(self) -> QLineEdit:
        return self._field

    @property
    def chips(self) -> list[QPushButton]:
        return list(self._chips)

    def set_tags(self, tags: tuple[str, ...]) -> None:
        if tags == self._tags and len(self._chips) == min(len(tags), _SHOWN + 1):
            return
        self._tags = tags
        for chip in self._chips:
            self._flow.removeWidget(chip)
            chip.hide()
            chip.deleteLater()
        self._chips = []
        for tag in tags[:_SHOWN]:
            chip = _Chip(tag, self._holder)
            chip.removed.connect(self._remove)
            self._put(chip)
        if len(tags) > _SHOWN:
            more = QPushButton(f"+{len(tags) - _SHOWN} more", self._holder)
            more.setProperty("variant", "quiet")
            more.setToolTip(", ".join(tags[_SHOWN:]))
            more.setAccessibleName(f"{len(tags) - _SHOWN} more tags: {', '.join(tags[_SHOWN:])}")
            self._put(more)
        self._holder.setVisible(bool(tags))
        self._holder.updateGeometry()

    def _put(self, chip: QPushButton) -> None:
        self._flow.addWidget(chip)
        chip.show()
        self._chips.append(chip)

    def _add(self) -> None:
        typed = [part.strip() for part in self._field.text().split(",")]
        self._field.clear()
        known = {tag.casefold() for tag in self._tags}
        fresh = [tag for tag in typed if tag and tag.casefold() not in known]
        if fresh:
            self.edited.emit((*self._tags, *dict.fromkeys(fresh)))

    def _remove(self, tag: str) -> None:
        self._field.setFocus(Qt.FocusReason.OtherFocusReason)
        self.edited.emit(tuple(each for each in self._tags if each != tag))


class _Chip(QPushButton):
    """One tag, with the sign that removes it."""

    removed = Signal(str)

    def __init__(self, tag: str, parent: QWidget) -> None:
        shown = tag if len(tag) <= 28 else f"{tag[:27]}…"
        super().__init__(f"{shown}  ×".replace("&", "&&"), parent)
        self._tag = tag
        self.setProperty("chip", "true")
        self.setAccessibleName(f"Tag {tag}")
        self.setAccessibleDescription("Removes the tag")
        self.setToolTip(f"Remove the tag “{tag}”")
        self.clicked.connect(lambda: self.removed.emit(self._tag))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.removed.emit(self._tag)
        else:
            super().keyPressEvent(event)
