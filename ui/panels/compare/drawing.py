"""The parts that charts are drawn from: the font, two axes with their marks, and the frame between them."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPen

from ui.panels.compare.axes import Axis
from ui.tokens import Tokens


def font(pixels: int, weight: QFont.Weight = QFont.Weight.Normal) -> QFont:
    """The interface font with figures of one width."""
    made = QFont()
    made.setPixelSize(pixels)
    made.setWeight(weight)
    made.setFeature(QFont.Tag("tnum"), 1)
    return made


@dataclass(frozen=True, slots=True)
class Frame:
    """Where figures are drawn, between two axes."""

    box: QRectF
    across: Axis
    up: Axis

    def at(self, x: float, y: float) -> QPointF:
        return QPointF(self.x(x), self.y(y))

    def x(self, value: float) -> float:
        return self.box.left() + self.box.width() * self.across.share(value)

    def y(self, value: float) -> float:
        return self.box.bottom() - self.box.height() * self.up.share(value)


def paint_axes(
    painter: QPainter,
    box: QRectF,
    across: Axis,
    up: Axis,
    tokens: Tokens,
    *,
    titles: tuple[str, str],
    right: float = 0.0,
    lane: float = 0.0,
) -> Frame:
    """Draw both axes with their marks and titles; return where figures go.

    Args:
        titles: Of the horizontal and the vertical axis.
        right: Room kept free at the right, for names at the ends of lines.
        lane: Room kept free below, for what a logarithmic axis can't show.
    """
    painter.setFont(font(12))
    metrics = QFontMetricsF(painter.font())
    line = metrics.lineSpacing()
    left = max((metrics.horizontalAdvance(text) for _, text in up.ticks), default=0.0) + 10
    if lane:
        left = max(left, metrics.horizontalAdvance("0") + 10)
    inner = box.adjusted(left, line + 12, -right, -(2 * line + 12) - lane)
    frame = Frame(inner, across, up)
    floor = inner.bottom() + lane
    painter.setPen(QColor(tokens.second))
    painter.drawText(QRectF(box.left(), box.top() - 2, box.width(), line), titles[1])
    grid = QPen(QColor(tokens.line), 1)
    for value, text in up.ticks:
        y = frame.y(value)
        painter.setPen(grid)
        painter.drawLine(QLineF(inner.left(), y, inner.right(), y))
        painter.setPen(QColor(tokens.second))
        painter.drawText(
            QRectF(box.left(), y - line / 2, left - 8, line),
            int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter),
            text,
        )
    painter.setPen(QPen(QColor(tokens.faint), 1))
    painter.drawLine(QLineF(inner.left(), floor, inner.right(), floor))
    painter.setPen(QColor(tokens.second))
    paint_marks_across(painter, frame, floor, metrics)
    painter.drawText(
        QRectF(inner.left(), floor + line + 9, inner.width(), line),
        int(Qt.AlignmentFlag.AlignHCenter),
        titles[0],
    )
    return frame


def paint_marks_across(painter: QPainter, frame: Frame, floor: float, metrics: QFontMetricsF) -> None:
    """The marks of a horizontal axis, leaving out those that would touch the one before."""
    edge = -1e9
    for value, text in frame.across.ticks:
        width = metrics.horizontalAdvance(text)
        x = frame.x(value)
        if x - width / 2 < edge + 8:
            continue
        edge = x + width / 2
        painter.drawLine(QLineF(x, floor, x, floor + 4))
        painter.drawText(
            QRectF(x - width / 2 - 1, floor + 6, width + 2, metrics.lineSpacing()),
            int(Qt.AlignmentFlag.AlignHCenter),
            text,
        )
