"""Decode speed by the number of answers at once, beside the speed at which people read."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPolygonF

from ui import format as show
from ui.models.compare_figures import Table
from ui.panels.compare.axes import Axis, log
from ui.panels.compare.curve_chart import CurveChart, Point
from ui.panels.compare.drawing import Frame, font
from ui.tokens import Tokens
from workbench.measure.card import Rate

#: Words a minute at which most adults read English silently, from non-fiction at the slow end to fiction at
#: the fast one; the means are 238 and 260. Brysbaert 2019, Journal of Memory and Language 109, 104047.
_WORDS_PER_MINUTE = (175, 320)
#: Tokens of an English word: 100 tokens are about 75 words for vocabularies of usual size. Text that takes
#: more tokens a word (code, many other languages) has to come faster by as much.
_TOKENS_PER_WORD = 4 / 3
#: From about 4 to about 7 tokens a second.
READING = tuple(words / 60 * _TOKENS_PER_WORD for words in _WORDS_PER_MINUTE)


class BatchChart(CurveChart):
    """All answers together; both axes are logarithmic, so the band of readers rises with their number."""

    heading = "Speed by answers at once"
    note = "shaded: as fast as each answer is read"
    nothing = "No chosen model has a measured decode speed."
    titles = ("Answers at once", "All answers together, tok/s (log)")

    def points(self, place: int) -> Sequence[Point]:
        return [Point(each.batch, each.tokens_per_s, each.low, each.high) for each in self._rates(place)]

    def words_across(self, x: float) -> str:
        return show.grouped(round(x))

    def axis_up(self, values: list[float]) -> Axis:
        return log([*values, READING[0]], show.number)

    def told(self, place: int, point: Point) -> str:
        rate = next(each for each in self._rates(place) if each.batch == point.x)
        answers = "1 answer" if rate.batch == 1 else f"{rate.batch} answers at once"
        lines = [
            self.comparison.variants[place].name,
            f"{answers}: {show.number(rate.tokens_per_s)} tok/s (95 %: {show.number(rate.low)} to "
            f"{show.number(rate.high)}{', noisy' if rate.noisy else ''})",
        ]
        if rate.batch > 1:
            lines.append(f"{show.number(rate.tokens_per_s / rate.batch)} tok/s each")
        if rate.share is not None:
            limit = "memory bandwidth" if rate.batch == 1 else "arithmetic peak"
            lines.append(f"{show.percent(rate.share)} of this machine’s {limit}")
        return "\n".join(lines)

    def paint_behind(self, painter: QPainter, frame: Frame, tokens: Tokens) -> None:
        low, high = frame.across.low, frame.across.high
        slow, fast = READING
        band = QPolygonF(
            [
                frame.at(low, slow * low),
                frame.at(low, fast * low),
                frame.at(high, fast * high),
                frame.at(high, slow * high),
            ]
        )
        shade = QColor(tokens.good)
        shade.setAlphaF(0.16)
        painter.save()
        painter.setClipRect(frame.box)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(shade)
        painter.drawPolygon(band)
        painter.restore()
        self._paint_word(painter, frame, tokens)

    def _paint_word(self, painter: QPainter, frame: Frame, tokens: Tokens) -> None:
        """What the band is, below it where it has risen out of the way."""
        painter.setFont(font(12))
        text = f"people read {READING[0]:.0f} to {READING[1]:.0f} tok/s"
        metrics = QFontMetricsF(painter.font())
        width = metrics.horizontalAdvance(text) + 4
        bottom = frame.box.bottom() - 3
        painter.setPen(QColor(tokens.good))
        painter.drawText(
            QRectF(frame.box.right() - width, bottom - metrics.height(), width, metrics.height()),
            int(Qt.AlignmentFlag.AlignRight),
            text,
        )

    def table(self) -> Table:
        columns = (
            "model",
            "batch",
            "context_tokens",
            "tokens_per_s",
            "low",
            "high",
            "runs",
            "noisy",
            "share",
        )
        rows = [
            (
                variant.name,
                each.batch,
                each.tokens,
                each.tokens_per_s,
                each.low,
                each.high,
                each.runs,
                "yes" if each.noisy else "no",
                each.share,
            )
            for place, variant in self.present()
            for each in self._rates(place)
        ]
        return Table(columns, tuple(rows))

    def _rates(self, place: int) -> list[Rate]:
        """Of each number of answers the speed at the shallowest depth."""
        speed = self.comparison.variants[place].card.speed
        found: dict[int, Rate] = {}
        for each in speed.decode if speed is not None else ():
            if each.batch < 1 or each.tokens_per_s <= 0:
                continue
            if each.batch not in found or each.tokens < found[each.batch].tokens:
                found[each.batch] = each
        return [found[batch] for batch in sorted(found)]
