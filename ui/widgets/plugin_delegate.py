"""Paints a plugin in the list: a dot for its state, its title, and what it offers or why it does not."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from ui.models.plugin_list import PluginListModel, second_line, state_words
from ui.theme import Theme
from ui.widgets.row_painting import paint_dot, paint_ground
from workbench.catalogue_entry import PluginRecord

_HEIGHT = 56
_MARK_GAP = 8


class PluginDelegate(QStyledItemDelegate):
    """Rows of one height. A state other than “on” stands as a word too: colour is never the only sign."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._title, self._line = QFont(), QFont()
        self._title.setPixelSize(13)
        self._title.setWeight(QFont.Weight.DemiBold)
        self._line.setPixelSize(12)

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(200, _HEIGHT)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        plugin: PluginRecord | None = index.data(PluginListModel.PLUGIN_ROLE)
        if plugin is None:
            return
        tokens = self._theme.tokens
        box: QRect = option.rect.adjusted(0, 1, 0, -1)  # type: ignore[attr-defined]
        state: QStyle.StateFlag = option.state  # type: ignore[attr-defined]
        align = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        paint_ground(painter, box, state, tokens)
        idle = not plugin.enabled or plugin.pending
        colour = tokens.faint if idle else tokens.bad if plugin.failure is not None else tokens.good
        paint_dot(painter, box, QColor(colour), hollow=idle)
        left, right = box.left() + 34, box.right() - 10
        width = right - left
        mark = state_words(plugin) if state_words(plugin) != "on" else ""
        metrics = QFontMetrics(self._line)
        if mark:
            room = metrics.horizontalAdvance(mark)
            painter.setFont(self._line)
            painter.setPen(QColor(tokens.bad if mark == "failed" else tokens.second))
            painter.drawText(QRect(right - room, box.top() + 8, room + 1, 19), align, mark)
            width -= room + _MARK_GAP
        painter.setFont(self._title)
        painter.setPen(QColor(tokens.text if plugin.enabled else tokens.second))
        title = QFontMetrics(self._title).elidedText(plugin.title, Qt.TextElideMode.ElideMiddle, width)
        painter.drawText(QRect(left, box.top() + 8, width, 19), align, title)
        painter.setFont(self._line)
        painter.setPen(QColor(tokens.second))
        line = second_line(plugin).replace("\n", " ")
        line = metrics.elidedText(line, Qt.TextElideMode.ElideRight, right - left)
        painter.drawText(QRect(left, box.top() + 28, right - left, 18), align, line)
        painter.restore()
