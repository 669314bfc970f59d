"""What a page shows while it has nothing: a sign, what would be here, and the button that brings it."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QPalette, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from ui.icons import pixmap
from ui.widgets.card import label

_SIGN = 40
_WIDTH = 440


class EmptyState(QWidget):
    """Stands in the middle of the room that it is given."""

    def __init__(
        self,
        icon: str,
        title: str,
        text: str,
        buttons: Sequence[QPushButton] = (),
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._icon = icon
        self._sign = QLabel()
        self._sign.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        heading = label(title, "section")
        heading.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self._words = label(text, "second", wrap=True)
        self._words.setAlignment(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop)
        self._words.setFixedWidth(_WIDTH)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addStretch(1)
        for button in buttons:
            row.addWidget(button)
        row.addStretch(1)
        column = QVBoxLayout(self)
        column.setSpacing(10)
        column.addStretch(2)
        column.addWidget(self._sign)
        column.addSpacing(4)
        column.addWidget(heading)
        column.addWidget(self._words, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addSpacing(8)
        column.addLayout(row)
        column.addStretch(3)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._draw_sign()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._draw_sign()
        # A layout gives an aligned label the height of its own guess, which is too low for wrapped text.
        self._words.setMinimumHeight(self._words.heightForWidth(_WIDTH))

    def _draw_sign(self) -> None:
        colour = self.palette().color(QPalette.ColorRole.Accent).name()
        self._sign.setPixmap(pixmap(self._icon, colour, _SIGN, self.devicePixelRatioF()))
