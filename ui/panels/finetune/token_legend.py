"""What the grounds of the token view stand for, each drawn as the view draws it."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QFont, QFontMetrics, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from ui.panels.finetune.token_view import token_looks
from ui.theme import Theme

_ENTRIES = (("learned", "learned"), ("seen", "only seen"), ("cut", "cut off"))
_GAP, _PAD = 10, 6


class TokenLegend(QWidget):
    """Three words on their grounds."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._font = QFont(self.font())
        self._font.setPixelSize(12)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self.update)

    def sizeHint(self) -> QSize:
        return QSize(round(sum(self._widths())) + _GAP * (len(_ENTRIES) - 1), 20)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        looks = token_looks(self._theme.tokens)
        left = 0.0
        for (name, text), width in zip(_ENTRIES, self._widths(), strict=True):
            look = looks[name][0 if name == "learned" else 1]
            box = QRectF(left, 1, width, self.height() - 2)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(look.background())
            painter.drawRoundedRect(box, 4, 4)
            painter.setFont(self._font_of(name))
            painter.setPen(look.foreground().color())
            painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), text)
            left += width + _GAP

    def _widths(self) -> list[float]:
        return [
            QFontMetrics(self._font_of(name)).horizontalAdvance(text) + 2 * _PAD for name, text in _ENTRIES
        ]

    def _font_of(self, name: str) -> QFont:
        font = QFont(self._font)
        font.setStrikeOut(name == "cut")
        font.setWeight(QFont.Weight.DemiBold if name == "learned" else QFont.Weight.Normal)
        return font
