"""Two shares, before and after, as bars with the intervals that they lie in."""

from __future__ import annotations

from PySide6.QtCore import QLineF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from ui import format
from ui.theme import PLOT_COLOURS, Theme

_ROW, _BAR = 20, 8
_WORD, _FIGURE = 46, 44


class IntervalBars(QWidget):
    """The whole width stands for 100 %; a whisker shows each interval."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._rows: tuple[tuple[str, float, tuple[float, float] | None], ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Share that is right, before and after")
        theme.changed.connect(self.update)

    def show_shares(
        self,
        before: float,
        after: float,
        around_before: tuple[float, float] | None = None,
        around_after: tuple[float, float] | None = None,
    ) -> None:
        self._rows = (("before", before, around_before), ("after", after, around_after))
        told = []
        for word, share, around in self._rows:
            between = f" ({format.percent(around[0])} to {format.percent(around[1])})" if around else ""
            told.append(f"{word} {format.percent(share)}{between}")
        self.setAccessibleDescription(", ".join(told))
        self.setToolTip("\n".join(each[:1].upper() + each[1:] for each in told))
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(200, 2 * _ROW)

    def paintEvent(self, event: QPaintEvent) -> None:
        tokens = self._theme.tokens
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        font = QFont(self.font())
        font.setPixelSize(12)
        font.setFeature(QFont.Tag("tnum"), 1)
        painter.setFont(font)
        align = Qt.AlignmentFlag.AlignVCenter
        width = self.width() - _WORD - _FIGURE
        for place, (word, share, around) in enumerate(self._rows):
            top = place * _ROW
            painter.setPen(QColor(tokens.second))
            painter.drawText(QRectF(0, top, _WORD, _ROW), int(align | Qt.AlignmentFlag.AlignLeft), word)
            painter.setPen(QColor(tokens.text))
            figure = QRectF(_WORD + width, top, _FIGURE, _ROW)
            painter.drawText(figure, int(align | Qt.AlignmentFlag.AlignRight), format.percent(share))
            bar = QRectF(_WORD, top + (_ROW - _BAR) / 2, width, _BAR)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(tokens.line))
            painter.drawRoundedRect(bar, 4, 4)
            filled = QRectF(bar)
            filled.setWidth(max(bar.width() * share, 3.0))
            painter.setBrush(QColor(PLOT_COLOURS[0] if place else tokens.faint))
            painter.drawRoundedRect(filled, 4, 4)
            if around is not None:
                middle = bar.center().y()
                low, high = (bar.left() + bar.width() * each for each in around)
                painter.setPen(QPen(QColor(tokens.text), 1.5))
                painter.drawLine(QLineF(low, middle, high, middle))
                for end in (low, high):
                    painter.drawLine(QLineF(end, middle - 4, end, middle + 4))
