"""Where a job is to run: this computer, or one of the clusters; not there where there are none."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QVBoxLayout, QWidget

from ui.widgets.card import label
from ui.widgets.form_inputs import CalmComboBox
from workbench.cluster.place import Place


class PlaceChoice(QWidget):
    """Keeps what was chosen as long as there is such a place."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.combo = CalmComboBox(self)
        self.combo.setAccessibleName("Run on")
        caption = label("Run on", "caption")
        caption.setBuddy(self.combo)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(10)
        column.addWidget(caption)
        column.addWidget(self.combo)
        self.set_places(())

    def set_places(self, places: tuple[Place, ...]) -> None:
        """Offer these, after this computer."""
        chosen = self.chosen()
        self.combo.clear()
        self.combo.addItem("This computer", "")
        for place in places:
            self.combo.addItem(place.name, place.name)
            self.combo.setItemData(self.combo.count() - 1, place.address, Qt.ItemDataRole.ToolTipRole)
        self.combo.setCurrentIndex(max(0, self.combo.findData(chosen)))
        self.setVisible(bool(places))

    def chosen(self) -> str:
        """The name of the place; empty for this computer."""
        return str(self.combo.currentData() or "")
