"""The part of a plot that pyqtgraph draws: axes with units, zoom, pan, the crosshair's line."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QFont, QPainter, QPainterPath

#: A rubber band lower than this zooms in time alone, and the values go on fitting themselves.
_FLAT_BAND_PIXELS = 40

_BYTE_SCALES = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B"))
_TIME_SCALES = ((3600.0, "hours", 3 * 3600.0), (60.0, "minutes", 600.0), (1.0, "seconds", 0.0))


class TimeViewBox(pg.ViewBox):  # type: ignore[misc]
    """Wheel zooms in time, a drag marks what to zoom to, Shift or the middle button pans.

    Signals:
        zoomed: A person chose a range of times, and perhaps of values (else None).
        reset: A person asked for everything again.
    """

    zoomed = Signal(float, float, object)
    reset = Signal()

    def __init__(self) -> None:
        super().__init__(enableMenu=False)
        self.disableAutoRange()
        self.setMouseEnabled(x=True, y=False)

    def wheelEvent(self, event: Any, axis: int | None = None) -> None:
        low, high = self.viewRange()[0]
        factor = 0.85 ** (event.delta() / 120)
        at = self.mapSceneToView(event.scenePos()).x()
        self.zoomed.emit(at - (at - low) * factor, at + (high - at) * factor, None)
        event.accept()

    def mouseDragEvent(self, event: Any, axis: int | None = None) -> None:
        pans = event.button() == Qt.MouseButton.MiddleButton or (
            event.modifiers() & Qt.KeyboardModifier.ShiftModifier
        )
        if event.button() not in (Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton):
            event.ignore()
            return
        event.accept()
        if pans:
            self._pan(event)
        else:
            self._mark(event)

    def mouseClickEvent(self, event: Any) -> None:
        if event.double():
            event.accept()
            self.reset.emit()
        else:
            event.ignore()

    def _pan(self, event: Any) -> None:
        then = self.mapToView(event.lastPos()).x()
        now = self.mapToView(event.pos()).x()
        low, high = self.viewRange()[0]
        self.zoomed.emit(low + then - now, high + then - now, None)

    def _mark(self, event: Any) -> None:
        if not event.isFinish():
            band = self._band(event)
            self.updateScaleBox(band.topLeft(), band.bottomRight())
            return
        self.rbScaleBox.hide()
        band = self._band(event)
        corners = self.childGroup.mapRectFromParent(band)
        if band.width() < 4:
            return
        values = None if self._is_flat(event) else (corners.top(), corners.bottom())
        self.zoomed.emit(corners.left(), corners.right(), values)

    def _is_flat(self, event: Any) -> bool:
        return bool(abs(event.pos().y() - event.buttonDownPos().y()) < _FLAT_BAND_PIXELS)

    def _band(self, event: Any) -> QRectF:
        band = QRectF(QPointF(event.buttonDownPos()), QPointF(event.pos())).normalized()
        if self._is_flat(event):
            band.setTop(self.boundingRect().top())
            band.setBottom(self.boundingRect().bottom())
        return band


class FillItem(pg.GraphicsObject):  # type: ignore[misc]
    """The tinted area between a curve and zero, run by run."""

    def __init__(self) -> None:
        super().__init__()
        self._path = QPainterPath()
        self._colour = QColor()

    def set_colour(self, colour: QColor) -> None:
        self._colour = colour
        self.update()

    def set_points(self, x: np.ndarray, y: np.ndarray) -> None:
        self.prepareGeometryChange()
        self._path = QPainterPath()
        runs = np.split(np.arange(len(x)), np.flatnonzero(np.isnan(y)))
        for run in runs:
            run = run[~np.isnan(y[run])]
            if len(run) < 2:
                continue
            xs = np.concatenate(([x[run[0]]], x[run], [x[run[-1]]]))
            ys = np.concatenate(([0.0], y[run], [0.0]))
            self._path.addPath(pg.arrayToQPath(xs, ys, connect="all", finiteCheck=False))
        self.update()

    def boundingRect(self) -> QRectF:
        return self._path.boundingRect()

    def paint(self, painter: QPainter, *_args: object) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        painter.fillPath(self._path, self._colour)


class ScaledAxis(pg.AxisItem):  # type: ignore[misc]
    """An axis in the unit that suits what is in view: GB rather than 1e9, minutes past ten of them."""

    def __init__(self, orientation: str, unit: str) -> None:
        super().__init__(orientation, maxTickLength=-4)
        self._unit = unit
        self._colours = ("#888", "#888")
        self.unit_shown = ""
        self.enableAutoSIPrefix(False)
        self.setStyle(tickTextOffset=6, autoExpandTextSpace=True, hideOverlappingLabels=True)
        self.set_unit(unit)

    def set_unit(self, unit: str) -> None:
        self._unit = unit
        self.unit_shown = ""
        self.fit(0.0, 1.0)

    def fit(self, low: float, high: float) -> None:
        """Choose the unit for a range in view."""
        factor, unit = 1.0, self._unit
        if self._unit in ("B", "B/s"):
            factor, unit = next(
                (each for each in _BYTE_SCALES if max(abs(low), abs(high)) >= each[0]), _BYTE_SCALES[-1]
            )
            unit += self._unit.removeprefix("B")
        elif self._unit == "s":
            factor, unit = next((f, u) for f, u, least in _TIME_SCALES if high - low >= least)
        if unit == self.unit_shown:
            return
        self.unit_shown = unit
        self.setScale(1 / factor)
        self.picture = None
        self._label()

    def set_colours(self, line: str, text: str, faint: str) -> None:
        self._colours = (text, faint)
        self.setPen(pg.mkPen(line))
        self.setTextPen(pg.mkPen(text))
        font = QFont()
        font.setPixelSize(12)
        self.setTickFont(font)
        self._label()

    def _label(self) -> None:
        self.setLabel(self.unit_shown, color=self._colours[1], **{"font-size": "12px"})
