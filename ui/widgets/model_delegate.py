"""Paints a model's row: its place in the lineage, name and badges, size, gain, whether it fits."""

from __future__ import annotations

import math

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPainterPath, QPen
from PySide6.QtWidgets import QLineEdit, QStyledItemDelegate, QStyleOptionViewItem, QTableView, QWidget

from ui.models.model_columns import Column
from ui.models.model_tree import ModelTree
from ui.theme import Theme, Tokens
from ui.widgets.model_words import BadgeText, badges, distance, distance_tone, grade_tone
from ui.widgets.tuning_words import has_gained, shorter_gains
from workbench.library.records import ModelRecord

ROW_HEIGHT = 46
_MARGIN = 12
_INDENT = 20
_CHEVRON = 16
_BADGE_GAP = 6
_BADGE_PADDING = 7
#: The name keeps at least this much of its cell; badges take what is left.
_NAME_SHARE = 0.68
_BAR_WIDTH, _LEAST_BAR = 64, 20

_LEFT = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
_RIGHT = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
_CENTRE = int(Qt.AlignmentFlag.AlignCenter)

_Index = QModelIndex | QPersistentModelIndex


class ModelDelegate(QStyledItemDelegate):
    """Rows of one height, painted from the record alone, so that ten thousand cost no more than ten."""

    def __init__(self, theme: Theme, view: QTableView) -> None:
        super().__init__(view)
        self._theme = theme
        self._view = view
        self._name_font = _font(view, 13, QFont.Weight.DemiBold)
        self._text_font = _font(view, 13, QFont.Weight.Normal)
        self._badge_font = _font(view, 11, QFont.Weight.DemiBold)
        self._name_metrics = QFontMetrics(self._name_font)
        self._text_metrics = QFontMetrics(self._text_font)
        self._badge_metrics = QFontMetrics(self._badge_font)
        self.hovered_row = -1

    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        return QSize(80, ROW_HEIGHT)

    def createEditor(self, parent: QWidget, option: QStyleOptionViewItem, index: _Index) -> QWidget:
        editor = QLineEdit(parent)
        editor.setAccessibleName("New name of the model")
        editor.setMaxLength(200)
        return editor

    def updateEditorGeometry(self, editor: QWidget, option: QStyleOptionViewItem, index: _Index) -> None:
        rect: QRect = option.rect  # type: ignore[attr-defined]
        left = self.name_left(rect, index) - 9
        editor.setGeometry(left, rect.top() + 6, max(rect.right() - left - 8, 120), ROW_HEIGHT - 12)

    def name_left(self, rect: QRect, index: _Index) -> int:
        """Where the name of a row begins."""
        model = index.model()
        depth = model.depth(index.row()) if isinstance(model, ModelTree) else 0
        return rect.left() + _MARGIN + _CHEVRON + depth * _INDENT

    def on_chevron(self, rect: QRect, index: _Index, x: int) -> bool:
        """Whether a point lies on the sign that folds a row."""
        left = self.name_left(rect, index)
        return left - _CHEVRON - 4 <= x < left

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        model = index.model()
        if not isinstance(model, ModelTree):
            return
        record = model.record(index.row())
        if record is None:
            return
        rect: QRect = option.rect  # type: ignore[attr-defined]
        tokens = self._theme.tokens
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setClipRect(rect)
        selected = self._view.selectionModel().isRowSelected(index.row(), QModelIndex())
        self._paint_ground(painter, rect, index.row(), selected, tokens)
        missing = model.missing(record)
        match Column(index.column()):
            case Column.NAME:
                self._paint_name(painter, rect, index, model, record, missing, selected, tokens)
            case Column.SIZE | Column.SPEED:
                colour = tokens.second
                self._write(painter, rect.adjusted(0, 0, -14, 0), _RIGHT, index.data(), colour)
            case Column.GAIN:
                self._paint_times(painter, rect, model, record, index.data(), tokens)
            case Column.DISTANCE:
                self._paint_distance(painter, rect, model, record, index.data(), tokens)
            case Column.GRADE:
                self._paint_grade(painter, rect, model, record, index.data(), tokens)
            case Column.FITS:
                self._paint_fit(painter, rect, model, record, missing, tokens)
            case Column.ADDED:
                self._write(painter, rect.adjusted(4, 0, -12, 0), _LEFT, index.data(), tokens.second)
        painter.restore()

    # ------------------------------------------------------------------ parts

    def _paint_ground(self, painter: QPainter, rect: QRect, row: int, selected: bool, tokens: Tokens) -> None:
        """The cell's piece of one rounded shape across the row."""
        whole = QRectF(0, rect.top() + 1, self._view.viewport().width(), rect.height() - 2)
        whole = whole.adjusted(6, 0, -6, 0)
        painter.setPen(Qt.PenStyle.NoPen)
        if selected:
            painter.setBrush(QColor(tokens.accent_soft))
            painter.drawRoundedRect(whole, 8, 8)
        elif row == self.hovered_row:
            painter.setBrush(QColor(tokens.raised))
            painter.drawRoundedRect(whole, 8, 8)
        if row == self._view.currentIndex().row() and self._view.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(tokens.accent), 1.5))
            painter.drawRoundedRect(whole.adjusted(1, 1, -1, -1), 7, 7)

    def _paint_name(
        self,
        painter: QPainter,
        rect: QRect,
        index: _Index,
        model: ModelTree,
        record: ModelRecord,
        missing: bool,
        selected: bool,
        tokens: Tokens,
    ) -> None:
        row = index.row()
        self._paint_lineage(painter, rect, model, row, tokens)
        left = self.name_left(rect, index)
        room = rect.right() - 8 - left
        name = model.shown_name(row)
        wanted = badges(record, model.parent_record(record) if model.depth(row) else None, name)
        if missing:
            wanted.insert(0, BadgeText("missing", "bad"))
        name_width = min(
            self._name_metrics.horizontalAdvance(name),
            max(int(room * _NAME_SHARE), room - self._badges_width(wanted)),
        )
        painter.setFont(self._name_font)
        painter.setPen(QColor(tokens.second if missing else tokens.text))
        text = self._name_metrics.elidedText(name, Qt.TextElideMode.ElideMiddle, name_width + 1)
        painter.drawText(QRect(left, rect.top(), name_width + 2, rect.height()), _LEFT, text)
        self._paint_badges(painter, rect, left + name_width + 10, wanted, selected, tokens)

    def _paint_lineage(
        self, painter: QPainter, rect: QRect, model: ModelTree, row: int, tokens: Tokens
    ) -> None:
        depth = model.depth(row)
        middle = rect.center().y() + 0.5
        first = rect.left() + _MARGIN + _CHEVRON / 2 - 2
        # Two signs close to each other need a line that both grounds show: faint, not the hairline.
        pen = QPen(QColor(tokens.faint), 1.2)
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        painter.setPen(pen)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setOpacity(0.65)
        for level in range(1, depth + 1):
            x = first + (level - 1) * _INDENT
            goes_on = model.goes_on(row, level)
            if level == depth:
                path = QPainterPath(QPointF(x, rect.top()))
                path.lineTo(x, middle - 4)
                path.quadTo(x, middle, x + 4, middle)
                path.lineTo(x + 11, middle)
                painter.drawPath(path)
            if goes_on:
                painter.drawLine(QPointF(x, rect.top()), QPointF(x, rect.bottom() + 1))
        folded = model.is_folded(row)
        if model.has_children(row):
            x = first + depth * _INDENT
            if not folded:
                painter.drawLine(QPointF(x, middle + 9), QPointF(x, rect.bottom() + 1))
            painter.setOpacity(1.0)
            painter.setPen(QPen(QColor(tokens.second), 1.6, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
            if folded:
                painter.drawPolyline(
                    [QPointF(x - 2, middle - 4), QPointF(x + 2, middle), QPointF(x - 2, middle + 4)]
                )
            else:
                painter.drawPolyline(
                    [QPointF(x - 4, middle - 2), QPointF(x, middle + 2), QPointF(x + 4, middle - 2)]
                )
        painter.setOpacity(1.0)

    def _badges_width(self, wanted: list[BadgeText]) -> int:
        return 10 + sum(self._badge_width(badge.text) + _BADGE_GAP for badge in wanted)

    def _badge_width(self, text: str) -> int:
        return self._badge_metrics.horizontalAdvance(text) + 2 * _BADGE_PADDING

    def _paint_badges(
        self,
        painter: QPainter,
        rect: QRect,
        left: int,
        wanted: list[BadgeText],
        selected: bool,
        tokens: Tokens,
    ) -> None:
        """As many badges as there is room for, and how many more there are."""
        painter.setFont(self._badge_font)
        end = rect.right() - 6
        for place, badge in enumerate(wanted):
            rest = len(wanted) - place
            width = self._badge_width(badge.text)
            more = 0 if rest == 1 else self._badge_width(f"+{rest - 1}") + _BADGE_GAP
            if left + width + more > end:
                text = f"+{rest}"
                if left + self._badge_width(text) <= end:
                    self._paint_badge(painter, rect, left, BadgeText(text), selected, tokens)
                return
            self._paint_badge(painter, rect, left, badge, selected, tokens)
            left += width + _BADGE_GAP

    def _paint_badge(
        self, painter: QPainter, rect: QRect, left: int, badge: BadgeText, selected: bool, tokens: Tokens
    ) -> None:
        box = QRect(left, rect.center().y() - 9, self._badge_width(badge.text), 20)
        painter.setPen(Qt.PenStyle.NoPen)
        ground = QColor(tokens.accent_soft if badge.tone == "accent" else tokens.raised)
        if selected:
            ground = QColor(tokens.card)
            ground.setAlphaF(0.55)
        painter.setBrush(ground)
        painter.drawRoundedRect(box, 5, 5)
        painter.setPen(QColor(_tone(tokens, badge.tone)))
        painter.drawText(box, _CENTRE, badge.text)

    def _paint_times(
        self, painter: QPainter, rect: QRect, model: ModelTree, record: ModelRecord, text: str, tokens: Tokens
    ) -> None:
        proof = model.proof(record)
        gain = proof.gain if proof is not None else None
        colour = tokens.second
        if gain is not None and gain.shown:
            colour = tokens.good if gain.ratio > 1 else tokens.bad
        box = rect.adjusted(0, 0, -14, 0)
        if gain is None:
            self._write(painter, box, _RIGHT, text, colour)
            return
        painter.setFont(self._name_font)
        painter.setPen(QColor(colour))
        painter.drawText(box, _RIGHT, text)

    def _paint_distance(
        self, painter: QPainter, rect: QRect, model: ModelTree, record: ModelRecord, text: str, tokens: Tokens
    ) -> None:
        """A bar on a logarithmic scale, and the divergence beside it."""
        proof = model.proof(record)
        kld = distance(record, proof)
        box = rect.adjusted(4, 0, -4, 0)
        if kld is None:
            compared = proof is not None and proof.is_reference
            self._write(painter, box, _LEFT, "reference" if compared else text, tokens.second)
            return
        length = min(_BAR_WIDTH, box.width() - self._text_metrics.horizontalAdvance("0.0000") - 8)
        if length >= _LEAST_BAR:
            track = QRectF(box.left(), rect.center().y() - 2, length, 5)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(tokens.line))
            painter.drawRoundedRect(track, 2.5, 2.5)
            painter.setBrush(QColor(_tone(tokens, distance_tone(record, proof))))
            track.setWidth(max(5.0, length * log_share(kld)))
            painter.drawRoundedRect(track, 2.5, 2.5)
            box.setLeft(box.left() + length + 8)
        self._write(painter, box, _LEFT, text, tokens.second)

    def _paint_grade(
        self, painter: QPainter, rect: QRect, model: ModelTree, record: ModelRecord, text: str, tokens: Tokens
    ) -> None:
        box = rect.adjusted(4, 0, -4, 0)
        proof = model.proof(record)
        if record.tuning is not None:
            texts = shorter_gains(record.tuning)[1:] or (text,)
            width = self._text_metrics.horizontalAdvance
            text = next((each for each in texts if width(each) <= box.width()), texts[-1])
            self._write(
                painter, box, _LEFT, text, tokens.good if has_gained(record.tuning) else tokens.second
            )
            return
        tone = grade_tone(proof.grade) if proof is not None else "neutral"
        painter.setFont(self._name_font if tone != "neutral" else self._text_font)
        painter.setPen(QColor(_tone(tokens, tone)))
        metrics = self._name_metrics if tone != "neutral" else self._text_metrics
        painter.drawText(box, _LEFT, metrics.elidedText(text, Qt.TextElideMode.ElideRight, box.width()))

    def _paint_fit(
        self,
        painter: QPainter,
        rect: QRect,
        model: ModelTree,
        record: ModelRecord,
        missing: bool,
        tokens: Tokens,
    ) -> None:
        if missing:
            self._write(painter, rect.adjusted(4, 0, -6, 0), _LEFT, "—", tokens.second)
            return
        text, tone = model.fit_words(record)
        if record.format == "adapter":
            self._write(painter, rect.adjusted(4, 0, -6, 0), _LEFT, text, tokens.second)
            return
        word, separator, rest = text.partition(" · ")
        painter.setFont(self._name_font)
        painter.setPen(QColor(_tone(tokens, tone)))
        box = rect.adjusted(4, 0, -6, 0)
        painter.drawText(
            box, _LEFT, self._name_metrics.elidedText(word, Qt.TextElideMode.ElideRight, box.width())
        )
        if separator:
            box.setLeft(box.left() + self._name_metrics.horizontalAdvance(word) + 8)
            self._write(painter, box, _LEFT, rest, tokens.second)

    def _write(self, painter: QPainter, box: QRect, align: int, text: str, colour: str) -> None:
        painter.setFont(self._text_font)
        painter.setPen(QColor(colour))
        painter.drawText(
            box, align, self._text_metrics.elidedText(text, Qt.TextElideMode.ElideRight, box.width())
        )


def log_share(kld: float) -> float:
    """Where a divergence stands on the bar: from 0.001, which nobody sees, to 1, which nobody misses.

    >>> [round(log_share(each), 2) for each in (0.0, 0.001, 0.0316, 1.0, 5.0)]
    [0.0, 0.0, 0.5, 1.0, 1.0]
    """
    if kld <= 0:
        return 0.0
    return min(max((math.log10(kld) + 3) / 3, 0.0), 1.0)


def _font(view: QTableView, pixels: int, weight: QFont.Weight) -> QFont:
    font = QFont(view.font())
    font.setPixelSize(pixels)
    font.setWeight(weight)
    font.setFeature(QFont.Tag("tnum"), 1)
    return font


def _tone(tokens: Tokens, tone: str) -> str:
    colours = {"accent": tokens.accent, "good": tokens.good, "warn": tokens.warn, "bad": tokens.bad}
    return colours.get(tone, tokens.second)
