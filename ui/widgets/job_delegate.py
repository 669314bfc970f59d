"""Paints a job in the list: a dot and a word for its state, its title, how far it is."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from ui.models.job_list import JobListModel
from ui.theme import Theme, Tokens
from ui.widgets.job_words import TONES, share_done, state_line
from ui.widgets.row_painting import paint_dot, paint_ground
from workbench.jobs.records import JobRecord

ROW_HEIGHT = 62


class JobDelegate(QStyledItemDelegate):
    """Rows of one height, so that ten thousand of them cost no more than ten.

    Args:
        line: What stands under a job's title.
    """

    def __init__(
        self,
        theme: Theme,
        parent: QWidget | None = None,
        *,
        line: Callable[[JobRecord], str] = state_line,
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self._text = line
        self._title = QFont()
        self._title.setPixelSize(13)
        self._title.setWeight(QFont.Weight.DemiBold)
        self._line = QFont()
        self._line.setPixelSize(12)
        self._line.setFeature(QFont.Tag("tnum"), 1)

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(200, ROW_HEIGHT)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        job: JobRecord | None = index.data(JobListModel.JOB_ROLE)
        if job is None:
            return
        tokens = self._theme.tokens
        box: QRect = option.rect.adjusted(0, 1, 0, -1)  # type: ignore[attr-defined]
        state: QStyle.StateFlag = option.state  # type: ignore[attr-defined]
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        paint_ground(painter, box, state, tokens)
        paint_dot(painter, box, _colour(job, tokens), hollow=job.state in ("queued", "cancelled", "paused"))
        left = box.left() + 34
        width = box.right() - 10 - left
        painter.setFont(self._title)
        painter.setPen(QColor(tokens.text))
        title = QFontMetrics(self._title).elidedText(job.title, Qt.TextElideMode.ElideRight, width)
        running = job.state == "running"
        top = box.top() + (7 if running else 10)
        align = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        painter.drawText(QRect(left, top, width, 20), align, title)
        painter.setFont(self._line)
        painter.setPen(QColor(tokens.bad if job.state == "failed" else tokens.second))
        line = QFontMetrics(self._line).elidedText(self._text(job), Qt.TextElideMode.ElideRight, width)
        painter.drawText(QRect(left, top + 20, width, 18), align, line)
        if running:
            bar = QRectF(left, box.bottom() - 10, width, 4)
            self._paint_bar(painter, bar, share_done(job) or 0.0, tokens)
        painter.restore()

    def _paint_bar(self, painter: QPainter, bar: QRectF, share: float, tokens: Tokens) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(tokens.line))
        painter.drawRoundedRect(bar, 2, 2)
        painter.setBrush(QColor(tokens.accent))
        filled = QRectF(bar)
        filled.setWidth(max(bar.width() * share, 4.0) if share > 0 else 0.0)
        painter.drawRoundedRect(filled, 2, 2)


def _colour(job: JobRecord, tokens: Tokens) -> QColor:
    colours = {
        "neutral": tokens.faint,
        "accent": tokens.accent,
        "good": tokens.good,
        "warn": tokens.warn,
        "bad": tokens.bad,
    }
    return QColor(colours[TONES[job.state]])
