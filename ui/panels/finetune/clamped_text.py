"""Paints a cell's text on a few lines, the last of them shortened where there is more."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPointF, QRect, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPen, QTextLayout, QTextOption
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from ui.theme import Theme

LINES = 3
_PAD_X, _PAD_Y = 8, 8


class ClampedText(QStyledItemDelegate):
    """Rows of one height, a hairline below each."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme

    def row_height(self, font: QFont) -> int:
        return LINES * QFontMetrics(font).lineSpacing() + 2 * _PAD_Y

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(80, self.row_height(option.font))  # type: ignore[attr-defined]

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        tokens = self._theme.tokens
        box: QRect = option.rect  # type: ignore[attr-defined]
        state: QStyle.StateFlag = option.state  # type: ignore[attr-defined]
        font = index.data(Qt.ItemDataRole.FontRole) or QFont(option.font)  # type: ignore[attr-defined]
        colour = index.data(Qt.ItemDataRole.ForegroundRole) or QColor(tokens.text)
        painter.save()
        if state & QStyle.StateFlag.State_Selected:
            painter.fillRect(box, QColor(tokens.accent_soft))
        if state & QStyle.StateFlag.State_HasFocus:
            painter.setPen(QPen(QColor(tokens.accent), 1.5))
            painter.drawRect(box.adjusted(1, 1, -2, -2))
        painter.setPen(QColor(tokens.line))
        painter.drawLine(box.bottomLeft(), box.bottomRight())
        painter.setPen(colour)
        painter.setFont(font)
        top = float(box.top() + _PAD_Y)
        metrics = QFontMetrics(font)
        for line in clamped(str(index.data() or ""), font, box.width() - 2 * _PAD_X, LINES):
            painter.drawText(QPointF(box.left() + _PAD_X, top + metrics.ascent()), line)
            top += metrics.lineSpacing()
        painter.restore()


def clamped(text: str, font: QFont, width: int, most: int) -> list[str]:
    """A text in at most so many lines of a width in pixels; the last ends with … where there is more."""
    layout = QTextLayout(text.replace("\n", "\u2028"), font)
    option = QTextOption()
    option.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
    layout.setTextOption(option)
    lines: list[str] = []
    layout.beginLayout()
    while len(lines) < most and (line := layout.createLine()).isValid():
        line.setLineWidth(max(width, 1))
        start, length = line.textStart(), line.textLength()
        if len(lines) == most - 1 and start + length < len(layout.text()):
            rest = layout.text()[start:].replace("\u2028", " ")
            lines.append(QFontMetrics(font).elidedText(rest, Qt.TextElideMode.ElideRight, width))
        else:
            lines.append(layout.text()[start : start + length].rstrip("\u2028 "))
    layout.endLayout()
    return lines
