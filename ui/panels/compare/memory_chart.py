"""Memory against the length of the context, below the line of what this machine has."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QLineF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen

from ui import format as show
from ui.models.compare_figures import Table
from ui.panels.compare.axes import Axis, linear, log
from ui.panels.compare.curve_chart import CurveChart, Point
from ui.panels.compare.drawing import Frame, font
from ui.tokens import Tokens

#: A limit that is further above what the models take than this would press them flat on a linear axis.
_FAR = 4.0


class MemoryChart(CurveChart):
    """Weights and the keys and values of one answer."""

    heading = "Memory by context"
    note = "weights, keys and values of one answer"
    nothing = "No chosen model has a measured memory."

    @property
    def titles(self) -> tuple[str, str]:  # type: ignore[override]
        return ("Context, tokens", f"Memory{' (log)' if self._is_far() else ''}")

    def points(self, place: int) -> Sequence[Point]:
        memory = self.comparison.variants[place].card.memory
        if memory is None:
            return []
        alone = sorted(
            (each for each in memory.caches if each.batch == 1 and each.context > 0),
            key=lambda each: each.context,
        )
        return [Point(each.context, memory.weights + each.bytes) for each in alone]

    def words_across(self, x: float) -> str:
        return show.grouped(round(x))

    def axis_up(self, values: list[float]) -> Axis:
        every = [*values, *self.limits()]
        return log(every, show.bytes) if self._is_far() else linear(every, show.bytes, from_zero=True)

    def told(self, place: int, point: Point) -> str:
        variant = self.comparison.variants[place]
        memory = variant.card.memory
        lines = [variant.name, f"{show.bytes(point.y)} with {show.grouped(round(point.x))} tokens of context"]
        if memory is not None:
            lines.append(f"{show.bytes(memory.weights)} of that are weights")
            lines.append(f"Measured peak {show.bytes(memory.peak)}, estimated {show.bytes(memory.estimated)}")
        return "\n".join(lines)

    def limits(self) -> list[int]:
        """What the machine has for the models; more than one where they use different memories."""
        memories = (each.card.memory for each in self.comparison.variants)
        return sorted({each.limit for each in memories if each is not None and each.limit > 0})

    def paint_behind(self, painter: QPainter, frame: Frame, tokens: Tokens) -> None:
        painter.setFont(font(12))
        metrics = QFontMetricsF(painter.font())
        for limit in self.limits():
            y = frame.y(limit)
            painter.setPen(QPen(QColor(tokens.bad), 1.5, Qt.PenStyle.DashLine))
            painter.drawLine(QLineF(frame.box.left(), y, frame.box.right(), y))
            text = f"this machine: {show.bytes(limit)}"
            painter.drawText(
                QRectF(frame.box.left() + 4, y + 3, metrics.horizontalAdvance(text) + 4, metrics.height()),
                text,
            )

    def table(self) -> Table:
        columns = ("model", "context_tokens", "bytes", "weights_bytes", "peak_bytes", "limit_bytes")
        rows = []
        for place, variant in self.present():
            memory = variant.card.memory
            if memory is not None:
                rows += [
                    (variant.name, round(each.x), round(each.y), memory.weights, memory.peak, memory.limit)
                    for each in self.points(place)
                ]
        return Table(columns, tuple(rows))

    def _is_far(self) -> bool:
        values = [point.y for place, _ in self.present() for point in self.points(place)]
        return bool(values) and max(self.limits(), default=0) > _FAR * max(values)
