"""How long the wait for the next token is: of each model its distribution and three percentiles."""

from __future__ import annotations

from PySide6.QtCore import QLineF, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen

from ui import format as show
from ui.models.compare_figures import Table, Value
from ui.panels.compare.axes import Axis, linear
from ui.panels.compare.chart import Chart, Mark
from ui.panels.compare.drawing import Frame, font, paint_marks_across
from ui.panels.compare.style import Style, paint_marker
from ui.tokens import Tokens
from workbench.measure.card import Speed

_ROW = 30.0
_NAMES_SHARE = 0.26
#: Heading, legend, axis.
_AROUND = 128
_PERCENTILES = (("p50", "circle"), ("p95", "diamond"), ("p99", "triangle"))


class LatencyChart(Chart):
    """A row for each model: a bar for each bin of its histogram, and a marker for each percentile."""

    heading = "Wait for the next token"
    note = "further left and narrower is better"
    nothing = "No chosen model has measured waits between tokens."

    def sizeHint(self) -> QSize:
        return QSize(460, _AROUND + round(_ROW * max(len(self._measured()), 3)))

    def minimumSizeHint(self) -> QSize:
        return QSize(300, self.sizeHint().height())

    def table(self) -> Table:
        columns = ("model", "gap_p50_s", "gap_p95_s", "gap_p99_s", "bin_from_s", "bin_to_s", "count")
        rows: list[tuple[Value, ...]] = []
        for place, speed in self._measured().items():
            name = self.comparison.variants[place].name
            rows.append((name, speed.gap_p50_s, speed.gap_p95_s, speed.gap_p99_s, None, None, None))
            edges = speed.gaps.edges
            rows += [
                (name, None, None, None, low, high, count)
                for low, high, count in zip(edges, edges[1:], speed.gaps.counts, strict=False)
            ]
        return Table(columns, tuple(rows))

    def paint_inside(self, painter: QPainter, box: QRectF, tokens: Tokens) -> list[Mark]:
        measured = self._measured()
        painter.setFont(font(12))
        metrics = QFontMetricsF(painter.font())
        line = metrics.lineSpacing()
        names = {
            place: metrics.elidedText(
                self.comparison.variants[place].label,
                Qt.TextElideMode.ElideMiddle,
                box.width() * _NAMES_SHARE,
            )
            for place in measured
        }
        left = max(metrics.horizontalAdvance(name) for name in names.values()) + 26
        inner = box.adjusted(left, line + 8, -12, -(2 * line + 12))
        every = [
            end for speed in measured.values() for end in (0.0, speed.gap_p99_s, *self._shown(speed)[-1:])
        ]
        frame = Frame(inner, linear(every, _wait, from_zero=True), Axis(0.0, 1.0, ()))
        self._paint_legend(painter, QRectF(inner.left(), box.top() - 2, inner.width(), line), tokens)
        self._paint_axis(painter, frame, metrics, tokens)
        marks = []
        height = inner.height() / len(measured)
        for row, (place, speed) in enumerate(measured.items()):
            lane = QRectF(inner.left(), inner.top() + row * height, inner.width(), height)
            painter.setOpacity(self.strength(place))
            paint_marker(
                painter, QPointF(box.left() + 7, lane.center().y()), self.style_of(place), tokens.card
            )
            painter.setPen(QColor(tokens.text))
            name_box = QRectF(box.left() + 18, lane.top(), left - 18, height)
            painter.drawText(name_box, int(Qt.AlignmentFlag.AlignVCenter), names[place])
            marks += self._paint_row(painter, frame, lane, place, speed, tokens)
        painter.setOpacity(1.0)
        return marks

    def _paint_row(
        self, painter: QPainter, frame: Frame, lane: QRectF, place: int, speed: Speed, tokens: Tokens
    ) -> list[Mark]:
        floor = lane.bottom() - 5
        painter.setPen(QPen(QColor(tokens.line), 1))
        painter.drawLine(QLineF(lane.left(), floor, lane.right(), floor))
        colour = QColor(self.style_of(place).colour)
        colour.setAlphaF(0.45)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        counts, edges = speed.gaps.counts, speed.gaps.edges
        # By density: a wide bin with few waits is no peak.
        density = [
            count / max(high - low, 1e-12) for count, low, high in zip(counts, edges, edges[1:], strict=False)
        ]
        most = max(density, default=0.0) or 1.0
        for each, low, high in zip(density, edges, edges[1:], strict=False):
            tall = each / most * (lane.height() - 9)
            wide = max(frame.x(high) - frame.x(low), 1.0)
            bar = QRectF(frame.x(low), floor - tall, wide, tall)
            painter.drawRect(bar.intersected(lane))
        text = (
            f"{self.comparison.variants[place].name}\n"
            f"Half of all waits are within {_wait(speed.gap_p50_s)} (p50)\n"
            f"95 % within {_wait(speed.gap_p95_s)} (p95)\n"
            f"99 % within {_wait(speed.gap_p99_s)} (p99)"
        )
        marks = []
        waits = (speed.gap_p50_s, speed.gap_p95_s, speed.gap_p99_s)
        for wait, (_, marker) in zip(waits, _PERCENTILES, strict=True):
            at = QPointF(frame.x(wait), floor)
            paint_marker(painter, at, Style(tokens.text, marker), tokens.card, radius=3.6)
            marks.append(Mark(at, place, text))
        return marks

    def _paint_legend(self, painter: QPainter, room: QRectF, tokens: Tokens) -> None:
        metrics = QFontMetricsF(painter.font())
        x = room.left() + 4
        for word, marker in _PERCENTILES:
            paint_marker(
                painter, QPointF(x, room.center().y()), Style(tokens.text, marker), tokens.card, radius=3.6
            )
            painter.setPen(QColor(tokens.second))
            painter.drawText(
                QRectF(x + 8, room.top(), 60, room.height()), int(Qt.AlignmentFlag.AlignVCenter), word
            )
            x += metrics.horizontalAdvance(word) + 26

    def _paint_axis(self, painter: QPainter, frame: Frame, metrics: QFontMetricsF, tokens: Tokens) -> None:
        floor = frame.box.bottom()
        painter.setPen(QPen(QColor(tokens.line), 1))
        for value, _ in frame.across.ticks:
            painter.drawLine(QLineF(frame.x(value), frame.box.top(), frame.x(value), floor))
        painter.setPen(QColor(tokens.second))
        paint_marks_across(painter, frame, floor, metrics)
        painter.drawText(
            QRectF(
                frame.box.left(), floor + metrics.lineSpacing() + 9, frame.box.width(), metrics.lineSpacing()
            ),
            int(Qt.AlignmentFlag.AlignHCenter),
            "Time between two tokens of one answer",
        )

    def _shown(self, speed: Speed) -> tuple[float, ...]:
        """Edges up to the last bin with anything in it."""
        filled = [number for number, count in enumerate(speed.gaps.counts) if count]
        return speed.gaps.edges[: filled[-1] + 2] if filled else ()

    def _measured(self) -> dict[int, Speed]:
        return {
            place: speed
            for place, variant in self.present()
            if (speed := variant.card.speed) is not None and speed.gap_p50_s > 0
        }


def _wait(seconds: float) -> str:
    """A wait as people compare them: in milliseconds up to a second, to three digits."""
    return show.rate(seconds * 1000, "ms") if seconds < 1 else show.rate(seconds, "s")
