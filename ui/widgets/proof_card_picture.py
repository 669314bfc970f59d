"""Draws a card's small plot in the colours of the window."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QHelpEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from ui.theme import PLOT_COLOURS, Theme
from workbench.measure.card_shapes import Bar, Dot, Label, Picture, Role, Shape, Stroke

#: Makes the plot for a width and a height.
Maker = Callable[[float, float], Picture | None]

_DOT, _LETTERS = 3.5, 12
#: A mark is pointed at from this many pixels beside it.
_GRIP = 8.0


class CardPicture(QWidget):
    """As wide as there is room. What a shape stands for is told where the pointer rests."""

    def __init__(self, theme: Theme, name: str, height: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._height = height
        self._make: Maker = lambda _width, _height: None
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self.update)

    def show_picture(self, make: Maker) -> bool:
        """Draw another plot; false where there is nothing to draw."""
        self._make = make
        picture = self._picture()
        self.setAccessibleDescription(picture.told if picture is not None else "")
        if picture is not None:
            self._height = round(picture.height)
            self.updateGeometry()
        self.update()
        return picture is not None

    def sizeHint(self) -> QSize:
        return QSize(280, self._height)

    def minimumSizeHint(self) -> QSize:
        return QSize(160, self._height)

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            QToolTip.showText(event.globalPos(), self.tip_at(QPointF(event.pos())), self)
            return True
        return super().event(event)

    def tip_at(self, point: QPointF) -> str:
        """What the shape under a point stands for; of bars the whole column counts."""
        picture = self._picture()
        for shape in reversed(picture.shapes if picture is not None else ()):
            match shape:
                case Dot(x=x, y=y, tip=tip) if tip and QPointF(x, y).x() - _GRIP < point.x() < x + _GRIP:
                    if abs(point.y() - y) < _GRIP:
                        return tip
                case Bar(tip=tip) if tip and shape.x <= point.x() < shape.x + shape.width:
                    if shape.radius == 0 or shape.y - _GRIP < point.y() < shape.y + shape.height + _GRIP:
                        return tip
        return ""

    def paintEvent(self, event: QPaintEvent) -> None:
        picture = self._picture()
        if picture is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        font = QFont(self.font())
        font.setPixelSize(_LETTERS)
        font.setFeature(QFont.Tag("tnum"), 1)
        painter.setFont(font)
        for shape in picture.shapes:
            self._paint(painter, shape)

    def _picture(self) -> Picture | None:
        return self._make(float(max(self.width(), 160)), float(self._height))

    def _paint(self, painter: QPainter, shape: Shape) -> None:
        colour = self._colour(shape.role)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        match shape:
            case Bar():
                box = QRectF(shape.x, shape.y, shape.width, shape.height)
                painter.drawRoundedRect(box, shape.radius, shape.radius)
            case Stroke():
                style = Qt.PenStyle.DashLine if shape.dashed else Qt.PenStyle.SolidLine
                painter.setPen(QPen(colour, shape.width, style))
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.drawPolyline([QPointF(x, y) for x, y in shape.points])
            case Dot() if shape.square:
                painter.drawRect(QRectF(shape.x - _DOT, shape.y - _DOT, 2 * _DOT, 2 * _DOT))
            case Dot():
                painter.drawEllipse(QPointF(shape.x, shape.y), _DOT, _DOT)
            case Label():
                painter.setPen(colour)
                _write(painter, shape)

    def _colour(self, role: Role) -> QColor:
        tokens = self._theme.tokens
        colours: dict[Role, str] = {
            "model": PLOT_COLOURS[1],
            "reference": PLOT_COLOURS[0],
            "axis": tokens.line,
            "ground": tokens.line,
            "text": tokens.text,
            "second": tokens.second,
        }
        return QColor(colours[role])


def _write(painter: QPainter, label: Label) -> None:
    """Text at its anchor; the box is wide enough for any."""
    wide, tall = 400.0, 20.0
    left = {"start": label.x, "middle": label.x - wide / 2, "end": label.x - wide}[label.anchor]
    sides = {
        "start": Qt.AlignmentFlag.AlignLeft,
        "middle": Qt.AlignmentFlag.AlignHCenter,
        "end": Qt.AlignmentFlag.AlignRight,
    }
    align = int(sides[label.anchor] | Qt.AlignmentFlag.AlignVCenter)
    painter.drawText(QRectF(left, label.y - tall / 2, wide, tall), align, label.text)
