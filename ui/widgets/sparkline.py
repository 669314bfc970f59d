"""A tiny plot of the last minute, without axes: the figure beside it says what it is."""

from __future__ import annotations

from collections import deque

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

_POINTS = 60


class Sparkline(QWidget):
    """Shares from 0 to 1, the newest at the right."""

    def __init__(self, colour: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._colour = QColor(colour)
        self._values: deque[float | None] = deque(maxlen=_POINTS)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def add(self, share: float | None) -> None:
        """Put one more value at the right end; None where there is none."""
        self._values.append(None if share is None else min(max(share, 0.0), 1.0))
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(90, 22)

    def paintEvent(self, event: QPaintEvent) -> None:
        points = self._points()
        if not points:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        floor = self.height() - 1.0
        line = QPainterPath(points[0])
        for point in points[1:]:
            line.lineTo(point)
        ground = QPainterPath(line)
        ground.lineTo(points[-1].x(), floor)
        ground.lineTo(points[0].x(), floor)
        ground.closeSubpath()
        filled = QColor(self._colour)
        filled.setAlphaF(0.22)
        painter.fillPath(ground, filled)
        pen = QPen(self._colour, 1.5)
        pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
        painter.setPen(pen)
        if len(points) == 1:
            painter.drawPoint(points[0])
        else:
            painter.drawPath(line)

    def _points(self) -> list[QPointF]:
        box = QRectF(self.rect()).adjusted(1, 2, -1, -2)
        step = box.width() / (_POINTS - 1)
        first = _POINTS - len(self._values)
        return [
            QPointF(box.left() + (first + place) * step, box.bottom() - value * box.height())
            for place, value in enumerate(self._values)
            if value is not None
        ]
