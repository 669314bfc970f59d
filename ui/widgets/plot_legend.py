"""The line above a plot that names its curves and reads them: last values, or those at the crosshair."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from PySide6.QtCore import QLineF, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from ui import format
from ui.theme import Theme
from ui.widgets.plot_curve import CurveSpec

_SWATCH = 16
_GAP = 14


class PlotLegend(QWidget):
    """Swatch, name and value of each curve, from the right; what does not fit is left out, names first."""

    def __init__(
        self, theme: Theme, moment: Callable[[float], str] | None = None, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self._moment = moment or elapsed
        self._curves: tuple[tuple[CurveSpec, QColor], ...] = ()
        self._values: Mapping[str, float | None] = {}
        self._at: float | None = None
        self._note = ""
        self._font = QFont(self.font())
        self._font.setPixelSize(12)
        self._figures = QFont(self._font)
        self._figures.setWeight(QFont.Weight.DemiBold)
        self._figures.setFeature(QFont.Tag("tnum"), 1)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def set_curves(self, curves: tuple[tuple[CurveSpec, QColor], ...]) -> None:
        self._curves = curves
        self.update()

    def set_note(self, note: str) -> None:
        """What the dashed level stands for."""
        self._note = note
        self.update()

    def show_values(self, values: Mapping[str, float | None], at: float | None) -> None:
        if (values, at) == (self._values, self._at):
            return
        self._values, self._at = dict(values), at
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(120, 20)

    def minimumSizeHint(self) -> QSize:
        return QSize(40, 20)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        figures, words = QFontMetrics(self._figures), QFontMetrics(self._font)
        tokens = self._theme.tokens
        named = self._fits(figures, words)
        right = float(self.width())
        for spec, colour in reversed(self._curves):
            value = value_text(self._values.get(spec.name), spec.unit)
            painter.setFont(self._figures)
            painter.setPen(QColor(tokens.text))
            right = self._write(painter, value, right, figures)
            if named and len(self._curves) > 1:
                painter.setFont(self._font)
                painter.setPen(QColor(tokens.second))
                right = self._write(painter, spec.title, right - 6, words)
            right -= 6
            self._swatch(painter, spec, colour, right)
            right -= _SWATCH + _GAP
        painter.setFont(self._font)
        painter.setPen(QColor(tokens.second))
        note = f"at {self._moment(self._at)}" if self._at is not None else self._note
        if note and words.horizontalAdvance(note) < right:
            self._write(painter, note, right, words)
        painter.end()

    def _fits(self, figures: QFontMetrics, words: QFontMetrics) -> bool:
        needed = sum(
            figures.horizontalAdvance(value_text(self._values.get(spec.name), spec.unit))
            + words.horizontalAdvance(spec.title)
            + _SWATCH
            + _GAP
            + 12
            for spec, _ in self._curves
        )
        return needed <= self.width()

    def _write(self, painter: QPainter, text: str, right: float, metrics: QFontMetrics) -> float:
        width = metrics.horizontalAdvance(text)
        box = QRectF(right - width - 1, 0, width + 2, self.height())
        painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), text)
        return right - width

    def _swatch(self, painter: QPainter, spec: CurveSpec, colour: QColor, right: float) -> None:
        middle = self.height() / 2
        pen = QPen(colour, 2, Qt.PenStyle.DashLine if spec.dashed else Qt.PenStyle.SolidLine)
        painter.setPen(pen)
        painter.drawLine(QLineF(right - _SWATCH, middle, right, middle))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        centre = QPointF(right - _SWATCH / 2, middle)
        match spec.marker:
            case "o":
                painter.drawEllipse(centre, 3.2, 3.2)
            case "s":
                painter.drawRect(QRectF(centre.x() - 3, centre.y() - 3, 6, 6))
            case "t":
                painter.drawPolygon(_polygon(centre, ((-3.5, 3), (3.5, 3), (0, -3.5))))
            case "d":
                painter.drawPolygon(_polygon(centre, ((-3.5, 0), (0, -3.5), (3.5, 0), (0, 3.5))))
        painter.setBrush(Qt.BrushStyle.NoBrush)


def value_text(value: float | None, unit: str) -> str:
    """A figure with its unit: `1.2 GB`, `129 tok/s`, `0.71`, `—` where there is none."""
    if value is None:
        return "—"
    if unit == "B":
        return format.bytes(int(value))
    if unit == "B/s":
        return format.rate(value, unit)
    figure = f"{value:,.0f}".replace(",", "\u2009") if abs(value) >= 1000 else f"{value:.3g}"
    return f"{figure}\u202f{unit}" if unit else figure


def elapsed(seconds: float) -> str:
    """A moment of a job as a clock would show it: `4.2 s`, `3:07`, `1:02:09`."""
    if seconds < 60:
        return f"{seconds:.1f}\u202fs"
    hours, rest = divmod(int(seconds), 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"


def _polygon(centre: QPointF, corners: tuple[tuple[float, float], ...]) -> QPolygonF:
    return QPolygonF([QPointF(centre.x() + x, centre.y() + y) for x, y in corners])
