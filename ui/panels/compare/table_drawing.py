"""The table of all figures as a picture, whole, whatever part of it is in view."""

from __future__ import annotations

from PySide6.QtCore import QLineF, QPointF, QRectF, QSize, QSizeF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPen

from ui.models.compare_columns import COLUMNS, TEXTS
from ui.models.compare_figures import Table
from ui.models.compare_table import CompareTable
from ui.models.compare_variants import Comparison
from ui.panels.compare.drawing import font
from ui.panels.compare.style import paint_marker, style_of
from ui.tokens import Tokens

_EDGE, _HEADING, _HEADER, _ROW = 18, 44, 32, 30
_GAP, _MARKER, _WIDEST = 20.0, 22.0, 420.0


class TableDrawing:
    """Draws the rows in the order in which they are sorted."""

    heading = "All figures"

    def __init__(self, figures: CompareTable, comparison: Comparison) -> None:
        self._figures = figures
        self._comparison = comparison
        metrics, bold = QFontMetricsF(font(13)), QFontMetricsF(font(12, QFont.Weight.Medium))
        self._cells = [
            [str(figures.index(row, column).data()) for column in range(len(COLUMNS))]
            for row in range(figures.rowCount())
        ]
        self._widths = [
            min(
                max(
                    bold.horizontalAdvance(COLUMNS[column].title),
                    *(metrics.horizontalAdvance(cells[column]) for cells in self._cells),
                    0.0,
                ),
                _WIDEST,
            )
            for column in range(len(COLUMNS))
        ]

    def size(self) -> QSize:
        wide = sum(self._widths) + _GAP * (len(COLUMNS) - 1) + _MARKER + 2 * _EDGE
        return QSize(round(wide), _HEADING + _HEADER + _ROW * len(self._cells) + _EDGE)

    def table(self) -> Table:
        return self._figures.table()

    def draw(self, painter: QPainter, size: QSizeF, tokens: Tokens) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(font(15, QFont.Weight.DemiBold))
        painter.setPen(QColor(tokens.text))
        middle = int(Qt.AlignmentFlag.AlignVCenter)
        painter.drawText(QRectF(_EDGE, 8, size.width(), _HEADING - 8), middle, self.heading)
        painter.setFont(font(12, QFont.Weight.Medium))
        painter.setPen(QColor(tokens.second))
        self._draw_row(painter, _HEADING, _HEADER, [column.title for column in COLUMNS])
        painter.setPen(QPen(QColor(tokens.line), 1))
        floor = _HEADING + _HEADER
        painter.drawLine(QLineF(_EDGE, floor, size.width() - _EDGE, floor))
        for row, cells in enumerate(self._cells):
            top = floor + row * _ROW
            place = self._figures.place(row)
            if place is not None:
                reference = self._comparison.variants[place].is_reference
                style = style_of(place, is_reference=reference, tokens=tokens)
                paint_marker(painter, QPointF(_EDGE + 7, top + _ROW / 2), style, tokens.card)
            painter.setFont(font(13))
            painter.setPen(QColor(tokens.text))
            self._draw_row(painter, top, _ROW, cells)

    def _draw_row(self, painter: QPainter, top: float, height: float, cells: list[str]) -> None:
        metrics = QFontMetricsF(painter.font())
        left = _EDGE + _MARKER
        for column, (text, width) in enumerate(zip(cells, self._widths, strict=True)):
            side = Qt.AlignmentFlag.AlignLeft if column in TEXTS else Qt.AlignmentFlag.AlignRight
            painter.drawText(
                QRectF(left, top, width + 2, height),
                int(side | Qt.AlignmentFlag.AlignVCenter),
                metrics.elidedText(text, Qt.TextElideMode.ElideMiddle, width + 2),
            )
            left += width + _GAP
