"""How each model is told from the others in every chart: by colour, marker and dashes together."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPixmap, QPolygonF

from ui.theme import PLOT_COLOURS
from ui.tokens import Tokens

#: Seven colours, eight markers and four dashes: the first two that are alike in all are 56 models apart.
_DASHES: tuple[tuple[float, ...], ...] = ((), (5.0, 3.0), (1.5, 2.5), (7.0, 2.5, 1.5, 2.5))
_RADIUS = 4.5
#: Okabe and Ito's yellow on white has a contrast of 1.3 to 1; this is the same hue, darker.
_ON_LIGHT = {"#F0E442": "#B3A800"}


@dataclass(frozen=True, slots=True)
class Style:
    """How one model is drawn.

    Attributes:
        dashes: Lengths in widths of the line; empty for a solid one.
    """

    colour: str
    marker: str
    dashes: tuple[float, ...] = ()

    def pen(self, width: float = 1.8) -> QPen:
        pen = QPen(QColor(self.colour), width)
        pen.setCapStyle(Qt.PenCapStyle.FlatCap)
        if self.dashes:
            pen.setDashPattern(list(self.dashes))
        return pen


def style_of(place: int, *, is_reference: bool, tokens: Tokens) -> Style:
    """The style of the model in a place; the reference is a star in the colour of the text."""
    if is_reference:
        return Style(tokens.text, "star")
    colour = PLOT_COLOURS[place % len(PLOT_COLOURS)]
    return Style(
        colour if tokens.is_dark else _ON_LIGHT.get(colour, colour),
        _MARKERS[place % len(_MARKERS)],
        _DASHES[place % len(_DASHES)],
    )


def paint_marker(
    painter: QPainter, at: QPointF, style: Style, ground: str, *, radius: float = _RADIUS, filled: bool = True
) -> None:
    """Draw a marker; a hollow one shows the ground inside."""
    colour = QColor(style.colour)
    painter.setPen(QPen(QColor(ground) if filled else colour, 1.2 if filled else 1.5))
    painter.setBrush(colour if filled else QColor(ground))
    if style.marker == "circle":
        painter.drawEllipse(at, radius, radius)
        return
    corners = [QPointF(at.x() + x * radius, at.y() + y * radius) for x, y in _SHAPES[style.marker]()]
    painter.drawPolygon(QPolygonF(corners))


def marker_picture(style: Style, ground: str, size: int, ratio: float) -> QPixmap:
    """A marker alone, for a list or a table."""
    made = QPixmap(round(size * ratio), round(size * ratio))
    made.setDevicePixelRatio(ratio)
    made.fill(Qt.GlobalColor.transparent)
    painter = QPainter(made)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    paint_marker(painter, QPointF(size / 2, size / 2), style, ground, radius=size * 0.34)
    painter.end()
    return made


_Corners = list[tuple[float, float]]


def _regular(corners: int, turn: float, reach: float = 1.0, dent: float | None = None) -> _Corners:
    """The corners of a regular polygon; of a star where they are dented."""
    made = []
    count = corners * (2 if dent is not None else 1)
    for number in range(count):
        length = dent if dent is not None and number % 2 else reach
        angle = math.radians(turn) + 2 * math.pi * number / count
        made.append((length * math.sin(angle), -length * math.cos(angle)))
    return made


#: In units of the radius; each covers about the same area as the circle.
_SHAPES: dict[str, Callable[[], _Corners]] = {
    "square": lambda: [(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
    "triangle": lambda: _regular(3, 0, 1.35),
    "diamond": lambda: _regular(4, 0, 1.3),
    "triangle-down": lambda: _regular(3, 180, 1.35),
    "hexagon": lambda: _regular(6, 0, 1.1),
    "cross": lambda: _regular(4, 45, 1.6, 0.62),
    "plus": lambda: _regular(4, 0, 1.6, 0.62),
    "star": lambda: _regular(5, 0, 1.7, 0.75),
}
_MARKERS = ("circle", "square", "triangle", "diamond", "triangle-down", "plus", "hexagon", "cross")
