"""Lines of one figure against a number that doubles, one a model, named at their right ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen, QPolygonF

from ui.panels.compare.axes import Axis, log
from ui.panels.compare.chart import Chart, Mark
from ui.panels.compare.drawing import Frame, font, paint_axes
from ui.panels.compare.labels import spread
from ui.panels.compare.style import paint_marker
from ui.tokens import Tokens

#: Names take at most this share of the width, and stand this far from where their lines end.
_NAMES_SHARE, _NAME_GAP = 0.34, 20.0
#: Between the middles of two names.
_LINE = 16.0


@dataclass(frozen=True, slots=True)
class Point:
    """One measured figure; `low` and `high` are the ends of its interval, where it has one."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None


class CurveChart(Chart):
    """A subclass says what the points are and how the vertical axis and what lies behind the lines look."""

    #: Titles of the horizontal and the vertical axis.
    titles = ("", "")

    def points(self, place: int) -> Sequence[Point]:
        """The figures of the model in this place, rising along the horizontal axis."""
        raise NotImplementedError

    def words_across(self, x: float) -> str:
        raise NotImplementedError

    def axis_up(self, values: list[float]) -> Axis:
        raise NotImplementedError

    def told(self, place: int, point: Point) -> str:
        """What a point says."""
        raise NotImplementedError

    def paint_behind(self, painter: QPainter, frame: Frame, tokens: Tokens) -> None:
        """What lies behind the lines."""

    def paint_inside(self, painter: QPainter, box: QRectF, tokens: Tokens) -> list[Mark]:
        curves = {place: points for place, _ in self.present() if (points := self.points(place))}
        every = [point for points in curves.values() for point in points]
        painter.setFont(font(12))
        metrics = QFontMetricsF(painter.font())
        names = self._names(list(curves), metrics, box.width() * _NAMES_SHARE)
        right = max(metrics.horizontalAdvance(name) for name in names.values()) + _NAME_GAP + 4
        xs = sorted({point.x for point in every})
        frame = paint_axes(
            painter,
            box,
            log(xs, self.words_across, room=0.04, ticks=xs),
            self.axis_up([end for each in every for end in (each.y, each.low, each.high) if end is not None]),
            tokens,
            titles=self.titles,
            right=right,
        )
        self.paint_behind(painter, frame, tokens)
        for place, points in curves.items():
            painter.setOpacity(self.strength(place))
            self._paint_curve(painter, frame, place, points, tokens)
        self._paint_names(painter, frame, curves, names, tokens)
        painter.setOpacity(1.0)
        return [
            Mark(frame.at(point.x, point.y), place, self.told(place, point))
            for place, points in curves.items()
            for point in points
        ]

    def _paint_curve(
        self, painter: QPainter, frame: Frame, place: int, points: Sequence[Point], tokens: Tokens
    ) -> None:
        style = self.style_of(place)
        where = [frame.at(point.x, point.y) for point in points]
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(style.pen())
        painter.drawPolyline(QPolygonF(where))
        painter.setPen(QPen(QColor(style.colour), 1))
        for point in points:
            if point.low is not None and point.high is not None:
                x = frame.x(point.x)
                painter.drawLine(QLineF(x, frame.y(point.low), x, frame.y(point.high)))
        for each in where:
            paint_marker(painter, each, style, tokens.card, radius=3.6)

    def _names(self, places: list[int], metrics: QFontMetricsF, most: float) -> dict[int, str]:
        return {
            place: metrics.elidedText(
                self.comparison.variants[place].label, Qt.TextElideMode.ElideMiddle, most
            )
            for place in places
        }

    def _paint_names(
        self,
        painter: QPainter,
        frame: Frame,
        curves: dict[int, Sequence[Point]],
        names: dict[int, str],
        tokens: Tokens,
    ) -> None:
        """The names in the order of the lines' ends, as many as there is room for, the reference first."""
        room = max(int(frame.box.height() // _LINE), 1)
        named = list(curves)[:room]
        ends = {place: frame.at(curves[place][-1].x, curves[place][-1].y) for place in named}
        box = frame.box
        middles = spread([ends[place].y() for place in named], _LINE, box.top() + 4, box.bottom() - 2)
        left = box.right() + _NAME_GAP
        painter.setFont(font(12))
        for place, middle in zip(named, middles, strict=True):
            painter.setOpacity(self.strength(place))
            painter.setPen(QPen(QColor(tokens.faint), 0.8))
            painter.drawPolyline(
                [ends[place] + QPointF(6, 0), QPointF(left - 6, middle), QPointF(left - 3, middle)]
            )
            painter.setPen(QColor(tokens.text))
            painter.drawText(
                QRectF(left, middle - _LINE / 2, 400, _LINE), int(Qt.AlignmentFlag.AlignVCenter), names[place]
            )
