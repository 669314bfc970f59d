"""From where a person started to here: a bar for each change, as high as its factor."""

from __future__ import annotations

import math

from PySide6.QtCore import QLineF, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPen

from ui import format as show
from ui.models.compare_figures import Table
from ui.models.compare_steps import Cards, Step, steps_to
from ui.panels.compare.chart import Chart, Mark
from ui.panels.compare.drawing import font
from ui.theme import PLOT_COLOURS, Theme
from ui.tokens import Tokens

_START = 12.0
_LEAST = 3.0
#: Above a bar its figures, below the floor two lines of words.
_ABOVE, _BELOW = 26.0, 46.0
_BAR_SHARE, _WIDEST = 0.72, 190.0


class StepsChart(Chart):
    """Equal heights are equal factors, so that a small gain late counts as it does early."""

    heading = "From where you started to here"
    note = "each bar is one change, measured; equal heights are equal factors"
    nothing = "The model shown is the one that you started from."

    def __init__(self, theme: Theme) -> None:
        self.steps: tuple[Step, ...] = ()
        self._cards: Cards = {}
        super().__init__(theme)

    @property
    def file_stem(self) -> str:
        return "from-start-to-here"

    def set_cards(self, cards: Cards) -> None:
        """All cards that are known, from which the way is made."""
        self._cards = cards

    def show_way_to(self, target: int | None) -> None:
        """Show the way to the model in this place."""
        known = target is not None and target < len(self.comparison.variants)
        self.steps = steps_to(self.comparison, target, self._cards) if known and target is not None else ()
        factor = f": ×{show.number(self.steps[-1].total)}" if self.steps else ""
        self.heading = f"{type(self).heading}{factor}"
        self.setAccessibleName(f"Chart: {self.heading}")
        self._look_anew()

    def table(self) -> Table:
        columns = ("step", "price", "tokens_per_s", "factor", "factor_from_start")
        return Table(
            columns,
            tuple((each.title, each.price, each.speed, each.factor, each.total) for each in self.steps),
        )

    def sizeHint(self) -> QSize:
        return QSize(460, 270)

    def minimumSizeHint(self) -> QSize:
        return QSize(300, 250)

    def paint_inside(self, painter: QPainter, box: QRectF, tokens: Tokens) -> list[Mark]:
        logs = [math.log(each.total) for each in self.steps]
        low, high = min(logs), max(max(logs), min(logs) + 0.1)
        top, floor = box.top() + _ABOVE, box.bottom() - _BELOW
        scale = (floor - top - _START) / (high - low)

        def y_of(height: float) -> float:
            return floor - _START - (height - low) * scale

        painter.setPen(QPen(QColor(tokens.line), 1))
        painter.drawLine(QLineF(box.left(), floor, box.right(), floor))
        column = box.width() / len(self.steps)
        wide = min(column * _BAR_SHARE, _WIDEST)
        marks, before = [], QRectF()
        for number, (step, height) in enumerate(zip(self.steps, logs, strict=True)):
            left = box.left() + column * number + (column - wide) / 2
            end = y_of(height)
            start = y_of(logs[number - 1]) if number else floor
            bar = QRectF(QPointF(left, min(start, end)), QPointF(left + wide, max(start, end)))
            bar.setHeight(max(bar.height(), _LEAST))
            if number:
                painter.setPen(QPen(QColor(tokens.faint), 1, Qt.PenStyle.DashLine))
                painter.drawLine(QLineF(before.right(), start, bar.left(), start))
            slower = step.factor < 1
            colour = tokens.accent if not number else tokens.bad if slower else PLOT_COLOURS[0]
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(colour))
            painter.drawRoundedRect(bar, 3, 3)
            self._paint_words(painter, step, number, bar, QRectF(left, floor, wide, _BELOW), tokens)
            marks.append(Mark(QPointF(bar.center().x(), end), step.variant, _told(step, number)))
            before = bar
        return marks

    def _paint_words(
        self, painter: QPainter, step: Step, number: int, bar: QRectF, below: QRectF, tokens: Tokens
    ) -> None:
        # As much of the neighbours' gaps as belongs to this column.
        room = below.adjusted(-below.width() * 0.18, 0, below.width() * 0.18, 0)
        middle = int(Qt.AlignmentFlag.AlignHCenter)
        painter.setFont(font(14, QFont.Weight.DemiBold))
        painter.setPen(QColor(tokens.text))
        figures = f"{show.number(step.speed)} tok/s"
        if number:
            figures += f"   ×{show.number(step.total)}"
        metrics = QFontMetricsF(painter.font())
        above = QRectF(room.left(), bar.top() - 22, room.width(), 20)
        painter.drawText(
            above, middle, metrics.elidedText(figures, Qt.TextElideMode.ElideRight, room.width())
        )
        painter.setFont(font(12))
        metrics = QFontMetricsF(painter.font())
        tone = tokens.bad if step.factor < 1 else tokens.good if step.lossless else tokens.second
        for line, (text, colour) in enumerate(((step.title, tokens.text), (step.price, tone))):
            painter.setPen(QColor(colour))
            place = QRectF(room.left(), below.top() + 8 + 18 * line, room.width(), 18)
            painter.drawText(
                place, middle, metrics.elidedText(text, Qt.TextElideMode.ElideMiddle, room.width())
            )


def _told(step: Step, number: int) -> str:
    lines = [step.title, f"{show.number(step.speed)} tok/s"]
    if number:
        lines[-1] += f", ×{show.number(step.total)} from the start"
        lines.append(f"×{show.number(step.factor)} by this change, {step.price}")
    return "\n".join(lines)
