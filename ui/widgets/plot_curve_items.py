"""What a curve of a plot is drawn with."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor

from ui.widgets.plot_curve import CurvePoints, CurveSpec, Floats
from ui.widgets.plot_view import FillItem

#: Markers are drawn while a curve shows at most this many points, else they hide the line.
_MARKED_POINTS = 80
#: A curve of more drawn points than this has a line one pixel wide, which Qt draws several times faster.
_DENSE_POINTS = 700
#: How much of its colour a faint curve keeps.
_FAINT = 0.38


class CurveItems:
    """The items of one curve on the canvas: its line, the area below, its markers and the crosshair's."""

    def __init__(self, spec: CurveSpec) -> None:
        self.spec = spec
        self.points = CurvePoints()
        self.line = pg.PlotCurveItem(connect="finite", skipFiniteCheck=False)
        self.fill = FillItem() if spec.filled else None
        self.markers = pg.ScatterPlotItem(size=7, symbol=spec.marker or "o", pxMode=True)
        self.cursor = pg.ScatterPlotItem(size=8, symbol=spec.marker or "o", pxMode=True)
        self.colour = QColor()

    def items(self) -> list[pg.GraphicsObject]:
        """All of them, from the bottom to the top."""
        return [each for each in (self.fill, self.line, self.markers, self.cursor) if each is not None]

    def paint(self, colour: str, card: str) -> None:
        """Take a colour; the crosshair's marker has an edge of the card's."""
        self.colour = QColor(colour)
        if self.spec.faint:
            self.colour.setAlphaF(_FAINT)
        self.markers.setBrush(self.colour)
        self.markers.setPen(pg.mkPen(None))
        self.cursor.setBrush(self.colour)
        self.cursor.setPen(pg.mkPen(card, width=1.5))
        if self.fill is not None:
            tint = QColor(self.colour)
            tint.setAlphaF(0.18)
            self.fill.set_colour(tint)

    def draw(self, x: Floats, y: Floats) -> None:
        """Show these points; a gap is a y that is no number."""
        dense = len(x) > _DENSE_POINTS
        style = Qt.PenStyle.DashLine if self.spec.dashed and not dense else Qt.PenStyle.SolidLine
        width = 1 if dense or self.spec.faint else 1.6
        self.line.setPen(pg.mkPen(self.colour, width=width, style=style))
        self.line.opts["antialias"] = not dense
        self.line.setData(x, y)
        if self.fill is not None:
            self.fill.set_points(x, y)
        marked = bool(self.spec.marker) and len(x) <= _MARKED_POINTS
        self.markers.setData(x[~np.isnan(y)], y[~np.isnan(y)]) if marked else self.markers.clear()
