"""Quality against size or speed: each model a point, with the front that no other model beats."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from PySide6.QtCore import QLineF, QPointF, QRectF, QSizeF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen

from ui import format as show
from ui.models.compare_figures import Table
from ui.models.compare_variants import Variant
from ui.panels.compare.axes import linear, log
from ui.panels.compare.chart import Chart, Mark
from ui.panels.compare.drawing import Frame, font, paint_axes
from ui.panels.compare.labels import Wanted, place_names
from ui.panels.compare.style import Style, paint_marker
from ui.theme import Theme
from ui.tokens import Tokens
from workbench.measure.intervals import Z_95
from workbench.measure.pareto import Better, Standing, standings

#: Below this a divergence is drawn in the lane of the reference: a logarithm has no zero, and rounding makes
#: divergences of equal models as small as this, or negative.
_NOTHING = 1e-6
_LANE = 26.0
_NAME_WIDTH = 150.0
_RING = 8.0

Figure = Callable[[Variant], float | None]


class QualityChart(Chart):
    """The mean KL divergence, logarithmic, against something else of each model."""

    nothing = "No chosen model has both a measured divergence and this figure."

    def __init__(
        self, theme: Theme, heading: str, note: str, title: str, column: str, better: Better
    ) -> None:
        self.heading, self.note = heading, note
        self._title, self._column, self._better = title, column, better
        self._standings: tuple[Standing, ...] = ()
        self._picked: int | None = None
        super().__init__(theme)

    def figure(self, variant: Variant) -> float | None:
        """What is drawn across."""
        raise NotImplementedError

    def interval(self, variant: Variant) -> tuple[float, float] | None:
        """The 95 % interval of it, where there is one."""
        return None

    def words(self, value: float) -> str:
        raise NotImplementedError

    def set_picked(self, variant: int | None) -> None:
        """Ring the model that was picked for the person."""
        self._picked = variant
        self.update()

    def table(self) -> Table:
        standings = self._stand()
        rows = []
        for place, variant in self.present():
            if standings[place].complete:
                low, high = self.interval(variant) or (None, None)
                front = "yes" if standings[place].on_front else "no"
                rows.append(
                    (variant.name, self.figure(variant), low, high, variant.kld, variant.kld_error, front)
                )
        across = (self._column, f"{self._column}_low", f"{self._column}_high")
        return Table(("model", *across, "mean_kld_nats", "mean_kld_error", "on_front"), tuple(rows))

    def _stand(self) -> tuple[Standing, ...]:
        # What lies in the lane is drawn as equal, so it is judged as equal.
        points = [
            (self.figure(each), None if each.kld is None else 0.0 if each.kld < _NOTHING else each.kld)
            for each in self.comparison.variants
        ]
        return standings(points, (self._better, "less"))

    def paint_inside(self, painter: QPainter, box: QRectF, tokens: Tokens) -> list[Mark]:
        found = self._stand()
        shown = [(place, each) for place, each in self.present() if found[place].complete]
        divergences = [each.kld or 0.0 for _, each in shown]
        lane = _LANE if any(each < _NOTHING for each in divergences) else 0.0
        frame = paint_axes(
            painter,
            box,
            linear([self.figure(each) or 0.0 for _, each in shown], self.words, room=0.09),
            log(
                [each for each in divergences if each >= _NOTHING],
                lambda value: f"{value:g}",
                room=0.1,
                least=10.0,
            ),
            tokens,
            titles=(self._title, "Mean KL divergence, nats (log)"),
            lane=lane,
        )
        self._paint_legend(painter, box, tokens)
        points = {place: self._point(frame, each, lane) for place, each in shown}
        if lane:
            self._paint_lane(painter, frame, lane, tokens)
        whiskers = {place: self._whiskers(frame, each, points[place]) for place, each in shown}
        front = sorted((p for p in points if found[p].on_front), key=lambda place: points[place].x())
        lines = [QLineF(points[one], points[two]) for one, two in pairwise(front)]
        painter.setPen(QPen(QColor(tokens.second), 1.2, Qt.PenStyle.DashLine))
        painter.drawLines(lines)
        # Those on the front come last, over the others, and have the first choice of a place for their name.
        order = sorted(points, key=lambda place: (not found[place].on_front, place))
        for place in reversed(order):
            painter.setOpacity(self.strength(place))
            self._paint_point(painter, place, points[place], whiskers[place], found[place], tokens)
        painter.setOpacity(1.0)
        lines += [line for each in whiskers.values() for line in each]
        self._paint_names(painter, frame, order, points, found, lines, lane, tokens)
        by_x = sorted(points, key=lambda place: points[place].x())
        return [Mark(points[place], place, self._told(place, found)) for place in by_x]

    # ------------------------------------------------------------------ parts

    def _point(self, frame: Frame, variant: Variant, lane: float) -> QPointF:
        kld, x = variant.kld or 0.0, self.figure(variant) or 0.0
        if kld < _NOTHING:
            return QPointF(frame.x(x), frame.box.bottom() + lane / 2)
        return frame.at(x, kld)

    def _paint_legend(self, painter: QPainter, box: QRectF, tokens: Tokens) -> None:
        """What the dashed line and the hollow points say."""
        metrics = QFontMetricsF(painter.font())
        text = "beaten by none"
        right, line = box.right(), metrics.lineSpacing()
        width = metrics.horizontalAdvance(text)
        middle = box.top() - 2 + line / 2
        painter.setPen(QColor(tokens.second))
        painter.drawText(QRectF(right - width - 2, box.top() - 2, width + 2, line), text)
        painter.setPen(QPen(QColor(tokens.second), 1.2, Qt.PenStyle.DashLine))
        painter.drawLine(QLineF(right - width - 34, middle, right - width - 10, middle))

    def _paint_lane(self, painter: QPainter, frame: Frame, lane: float, tokens: Tokens) -> None:
        """A dotted line where the logarithm ends, and the zero below it."""
        bottom = frame.box.bottom()
        painter.setPen(QPen(QColor(tokens.faint), 1, Qt.PenStyle.DotLine))
        painter.drawLine(QLineF(frame.box.left(), bottom, frame.box.right(), bottom))
        painter.setPen(QColor(tokens.second))
        painter.drawText(
            QRectF(frame.box.left() - 40, bottom, 32, lane),
            int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter),
            "0",
        )

    def _whiskers(self, frame: Frame, variant: Variant, at: QPointF) -> list[QLineF]:
        """The 95 % intervals of both figures, where they are known, as far as the frame goes."""
        found = []
        if (around := self.interval(variant)) is not None:
            low, high = max(around[0], frame.across.low), min(around[1], frame.across.high)
            found.append(QLineF(frame.x(low), at.y(), frame.x(high), at.y()))
        kld, half = variant.kld or 0.0, Z_95 * variant.kld_error
        if kld >= _NOTHING and half:
            low, high = max(kld - half, frame.up.low), min(kld + half, frame.up.high)
            found.append(QLineF(at.x(), frame.y(low), at.x(), frame.y(high)))
        return found

    def _paint_point(
        self,
        painter: QPainter,
        place: int,
        at: QPointF,
        whiskers: list[QLineF],
        standing: Standing,
        tokens: Tokens,
    ) -> None:
        style = self.style_of(place)
        if not standing.on_front:
            style = Style(tokens.faint, style.marker)
        painter.setPen(QPen(QColor(style.colour), 1))
        painter.drawLines(whiskers)
        paint_marker(painter, at, style, tokens.card, filled=standing.on_front)
        if place == self._picked:
            painter.setPen(QPen(QColor(tokens.accent), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawEllipse(at, _RING, _RING)

    def _paint_names(
        self,
        painter: QPainter,
        frame: Frame,
        order: list[int],
        points: dict[int, QPointF],
        found: tuple[Standing, ...],
        lines: list[QLineF],
        lane: float,
        tokens: Tokens,
    ) -> None:
        painter.setFont(font(12))
        metrics = QFontMetricsF(painter.font())
        names = [
            metrics.elidedText(
                self.comparison.variants[place].label, Qt.TextElideMode.ElideMiddle, _NAME_WIDTH
            )
            for place in order
        ]
        wanted = [
            Wanted(points[place], QSizeF(metrics.horizontalAdvance(name) + 2, metrics.height()))
            for place, name in zip(order, names, strict=True)
        ]
        room = frame.box.adjusted(2, -10, 14, lane)
        for place, name, box in zip(order, names, place_names(wanted, room, lines), strict=True):
            if box is None:
                continue
            painter.setOpacity(self.strength(place))
            if QLineF(box.center(), points[place]).length() > box.width() / 2 + 24:
                painter.setPen(QPen(QColor(tokens.faint), 0.8))
                near = QPointF(min(max(points[place].x(), box.left()), box.right()), box.center().y())
                painter.drawLine(QLineF(points[place], near))
            painter.setPen(QColor(tokens.text if found[place].on_front else tokens.second))
            painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), name)
        painter.setOpacity(1.0)

    def _told(self, place: int, found: tuple[Standing, ...]) -> str:
        variant = self.comparison.variants[place]
        kld = variant.kld or 0.0
        lines = [variant.name, f"{self._title}: {self.words(self.figure(variant) or 0.0)}"]
        if (around := self.interval(variant)) is not None:
            lines[-1] += f" (95 %: {self.words(around[0])} to {self.words(around[1])})"
        if variant.is_reference:
            lines.append("The reference that the others are compared with")
        else:
            lines.append(f"Mean KL divergence {show.number(kld)} ± {show.number(variant.kld_error)} nats")
        beaten = found[place].beaten_by
        lines.append(
            "No other is better in both"
            if beaten is None
            else f"{self.comparison.variants[beaten].label} is at least as good in both"
        )
        return "\n".join(lines)


class SizeChart(QualityChart):
    """Quality against the size on disk."""

    def __init__(self, theme: Theme) -> None:
        note = "lower left is better"
        super().__init__(theme, "Quality against size", note, "Size on disk", "size_bytes", "less")

    def figure(self, variant: Variant) -> float | None:
        return variant.size_bytes

    def words(self, value: float) -> str:
        return show.bytes(value)


class SpeedChart(QualityChart):
    """Quality against the speed of one answer."""

    def __init__(self, theme: Theme) -> None:
        note = "lower right is better"
        title = "Decode speed of one answer, tok/s"
        super().__init__(theme, "Quality against speed", note, title, "decode_tokens_per_s", "more")

    def figure(self, variant: Variant) -> float | None:
        return variant.decode.tokens_per_s if variant.decode is not None else None

    def interval(self, variant: Variant) -> tuple[float, float] | None:
        return (variant.decode.low, variant.decode.high) if variant.decode is not None else None

    def words(self, value: float) -> str:
        return show.number(value)
