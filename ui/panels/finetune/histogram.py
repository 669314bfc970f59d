"""How long the examples are: a histogram with the line behind which they are cut."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QLineF, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontMetrics,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from ui import format
from ui.theme import PLOT_COLOURS, Theme

#: Room for the line's label above the bars and for the axis below them.
_TOP, _BOTTOM = 22, 20
#: The line is taken hold of this many pixels beside it.
_GRIP = 9
_LEAST = 8
_TICKS = 5
#: What an arrow key and a page key move the line by, as a share of the axis.
_KEY_SHARES = {
    Qt.Key.Key_Left: -0.01,
    Qt.Key.Key_Right: 0.01,
    Qt.Key.Key_PageDown: -0.1,
    Qt.Key.Key_PageUp: 0.1,
}


class LengthHistogram(QWidget):
    """Bars by length in tokens. The cut-off is dragged with the mouse or moved with the arrow keys.

    Signals:
        limit_moved: The line is at so many tokens now; while it is dragged.
        limit_chosen: The person is done moving it.
    """

    limit_moved = Signal(int)
    limit_chosen = Signal(int)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._counts: tuple[int, ...] = ()
        self._edges: tuple[int, ...] = (0, 1)
        self._limit = 1
        self._most = 1
        self._dragging = False
        self._font = QFont(self.font())
        self._font.setPixelSize(12)
        self._font.setFeature(QFont.Tag("tnum"), 1)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Lengths of the examples and the cut-off")
        theme.changed.connect(self.update)
        self._describe()

    @property
    def limit(self) -> int:
        return self._limit

    def show_lengths(self, counts: Sequence[int], edges: Sequence[int], limit: int, most: int) -> None:
        """Show how many sequences there are between each two edges.

        Args:
            edges: One more than counts, rising, in tokens.
            limit: Where longer ones are cut.
            most: The largest cut-off that can be chosen.
        """
        self._counts, self._edges = tuple(counts), tuple(edges)
        self._limit, self._most = limit, max(most, limit)
        self._describe()
        self.update()

    def set_limit(self, limit: int) -> None:
        """Move the line without saying so."""
        if limit != self._limit and not self._dragging:
            self._limit = limit
            self._describe()
            self.update()

    def rows_cut(self, limit: int) -> int:
        """About how many sequences are longer: those of the bar under the line in proportion."""
        total = 0.0
        for count, low, high in zip(self._counts, self._edges, self._edges[1:], strict=False):
            total += count * min(max((high - limit) / max(high - low, 1), 0.0), 1.0)
        return round(total)

    def sizeHint(self) -> QSize:
        return QSize(320, 132)

    def minimumSizeHint(self) -> QSize:
        return QSize(160, 110)

    # ------------------------------------------------------------------ hands

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = Qt.Key(event.key())
        if key in _KEY_SHARES:
            step = max(round(abs(_KEY_SHARES[key]) * self._edges[-1] / 8) * 8, 8)
            self._choose(self._limit + (step if _KEY_SHARES[key] > 0 else -step))
        elif key == Qt.Key.Key_End:
            self._choose(self._longest())
        else:
            super().keyPressEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self._counts:
            self._dragging = True
            self._drag(event.position().x())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._dragging:
            self._drag(event.position().x())
            return
        near = bool(self._counts) and abs(event.position().x() - self._x_of(self._limit)) < _GRIP
        self.setCursor(Qt.CursorShape.SplitHCursor if near else Qt.CursorShape.ArrowCursor)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self._dragging:
            self._dragging = False
            self.limit_chosen.emit(self._limit)

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip and self._counts:
            QToolTip.showText(event.globalPos(), self._tip(event.pos().x()), self)  # type: ignore[attr-defined]
            return True
        return super().event(event)

    def _drag(self, x: float) -> None:
        box = self._bars()
        share = (x - box.left()) / max(box.width(), 1)
        self._move(round(share * self._edges[-1]))

    def _choose(self, limit: int) -> None:
        if self._counts:
            self._move(limit)
            self.limit_chosen.emit(self._limit)

    def _move(self, limit: int) -> None:
        self._limit = min(max(limit, _LEAST), self._most)
        self._describe()
        self.update()
        self.limit_moved.emit(self._limit)

    def _longest(self) -> int:
        """The upper edge of the last bar with something in it: nothing is cut there."""
        filled = [number for number, count in enumerate(self._counts) if count]
        return self._edges[filled[-1] + 1] if filled else self._limit

    def _tip(self, x: float) -> str:
        for count, low, high in zip(self._counts, self._edges, self._edges[1:], strict=False):
            if self._x_of(low) <= x < self._x_of(high):
                return f"{format.grouped(low)} to {format.grouped(high)} tokens: {format.grouped(count)}"
        return ""

    def _describe(self) -> None:
        total = sum(self._counts)
        self.setAccessibleDescription(
            f"Cut-off at {self._limit} tokens; {self.rows_cut(self._limit)} of {total} are longer. "
            "Left and Right move it, End moves it behind the longest."
            if total
            else "Nothing has been read yet"
        )

    # ------------------------------------------------------------------ drawing

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(self._font)
        self._paint_axis(painter)
        if self._counts:
            self._paint_bars(painter)
            self._paint_line(painter)
        if self.hasFocus():
            painter.setPen(QPen(QColor(self._theme.tokens.accent), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), 6, 6)

    def _paint_axis(self, painter: QPainter) -> None:
        box, tokens = self._bars(), self._theme.tokens
        painter.setPen(QPen(QColor(tokens.line), 1))
        painter.drawLine(QLineF(box.bottomLeft(), box.bottomRight()))
        painter.setPen(QColor(tokens.second))
        metrics = QFontMetrics(self._font)
        for tick in ticks(self._edges[-1], _TICKS):
            text = format.grouped(tick) if tick else "0 tokens"
            width = metrics.horizontalAdvance(text) + 2
            middle = self._x_of(tick)
            left = box.left() if tick == 0 else min(middle - width / 2, self.width() - width)
            painter.drawText(QRectF(left, box.bottom() + 4, width, 16), int(Qt.AlignmentFlag.AlignLeft), text)

    def _paint_bars(self, painter: QPainter) -> None:
        box, tokens = self._bars(), self._theme.tokens
        highest = max(self._counts) or 1
        kept, cut = QColor(PLOT_COLOURS[0]), QColor(tokens.warn)
        painter.setPen(Qt.PenStyle.NoPen)
        limit_x = self._x_of(self._limit)
        for count, low, high in zip(self._counts, self._edges, self._edges[1:], strict=False):
            if not count:
                continue
            height = max(count / highest * box.height(), 3.0)
            left, right = self._x_of(low) + 0.5, self._x_of(high) - 0.5
            bar = QRectF(left, box.bottom() - height, max(right - left, 1.0), height)
            whole = QRectF(bar)
            if left < limit_x:
                bar.setRight(min(bar.right(), limit_x))
                painter.setBrush(kept)
                painter.drawRect(bar)
            if right > limit_x:
                whole.setLeft(max(whole.left(), limit_x))
                painter.setBrush(cut)
                painter.drawRect(whole)

    def _paint_line(self, painter: QPainter) -> None:
        box, tokens = self._bars(), self._theme.tokens
        x = min(self._x_of(self._limit), box.right())
        painter.setPen(QPen(QColor(tokens.text), 1.5, Qt.PenStyle.DashLine))
        painter.drawLine(QLineF(x, _TOP - 4, x, box.bottom()))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(tokens.text))
        painter.drawEllipse(QPointF(x, _TOP - 4), 4, 4)
        cut = self.rows_cut(self._limit)
        text = f"cut at {format.grouped(self._limit)}" + (
            f" · about {format.grouped(cut)} longer" if cut else ""
        )
        metrics = QFontMetrics(self._font)
        width = metrics.horizontalAdvance(text) + 2
        left = x + 8 if x + 8 + width < box.right() else x - 8 - width
        painter.setPen(QColor(tokens.text))
        painter.drawText(QRectF(left, 2, width, 16), int(Qt.AlignmentFlag.AlignLeft), text)

    def _bars(self) -> QRectF:
        return QRectF(4, _TOP, self.width() - 8, self.height() - _TOP - _BOTTOM)

    def _x_of(self, length: float) -> float:
        box = self._bars()
        return box.left() + box.width() * length / max(self._edges[-1], 1)


def ticks(end: int, most: int) -> list[int]:
    """Round numbers from 0 to an end, at most so many.

    >>> ticks(1024, 5)
    [0, 250, 500, 750, 1000]
    """
    rough = max(end / max(most - 1, 1), 1)
    power = 10 ** (len(str(int(rough))) - 1)
    step = next(power * each for each in (1, 2, 2.5, 5, 10) if power * each >= rough * 0.95)
    step = max(int(step), 1)
    return list(range(0, end + 1, step))
