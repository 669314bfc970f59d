"""The panel in which the models of a comparison are chosen, and measured where they have no card yet."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QModelIndex, QPersistentModelIndex, QRect, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QFontMetrics, QKeyEvent, QMouseEvent, QPainter, QPen
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QLineEdit,
    QListView,
    QPushButton,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from ui.icons import pixmap
from ui.models.compare_choices import ChoiceList, Role
from ui.theme import Theme
from ui.widgets.card import Card, label

_Index = QModelIndex | QPersistentModelIndex

_ROW, _INDENT, _DEEPEST = 48, 14, 4
_BOX = 18
_PILL = "Measure"


class ChooserPanel(Card):
    """Space or a click chooses a model; Enter on one without a card measures it.

    Signals:
        measure_wanted: The ids of models that are to be measured.
        family_wanted: All measured relatives of this model are wanted.
        none_wanted: All are to be let go.
    """

    measure_wanted = Signal(list)
    family_wanted = Signal(str)
    none_wanted = Signal()

    def __init__(self, theme: Theme, choices: ChoiceList) -> None:
        super().__init__("Models")
        self._choices = choices
        self.column.setContentsMargins(14, 14, 10, 12)
        self.column.setSpacing(10)
        self.search = QLineEdit()
        self.search.setPlaceholderText("Search models")
        self.search.setAccessibleName("Search the models to compare")
        self.search.setClearButtonEnabled(True)
        self.view = _ChoiceView(theme, choices)
        self.counted = label("", "caption", wrap=True)
        family = QPushButton("Its family")
        family.setToolTip("Choose all measured relatives of the current model")
        family.setAccessibleName("Choose all measured relatives of the current model")
        none = QPushButton("None")
        none.setAccessibleName("Choose no model")
        for button in (family, none):
            button.setProperty("segment", "true")
        tools = QHBoxLayout()
        tools.setSpacing(6)
        tools.addWidget(self.counted, 1)
        tools.addWidget(family)
        tools.addWidget(none)
        self.column.addWidget(self.search)
        self.column.addWidget(self.view, 1)
        self.column.addLayout(tools)
        self.search.textChanged.connect(choices.search)
        self.search.returnPressed.connect(self.view.setFocus)
        self.view.measure_wanted.connect(lambda id: self.measure_wanted.emit([id]))
        none.clicked.connect(self.none_wanted)
        family.clicked.connect(self._ask_family)
        choices.chosen_changed.connect(self._count)
        choices.modelReset.connect(self._count)
        self._count()

    def show_current(self, id: str) -> None:
        """Make a model the current one of the list, where it is there."""
        row = self._choices.row_of(id)
        if row >= 0:
            self.view.setCurrentIndex(self._choices.index(row))

    def _ask_family(self) -> None:
        record = self._choices.record(max(self.view.currentIndex().row(), 0))
        if record is not None:
            self.family_wanted.emit(record.id)

    def _count(self) -> None:
        self.counted.setText(f"{len(self._choices.chosen)} of {self._choices.measured} measured")


class _ChoiceView(QListView):
    measure_wanted = Signal(str)

    def __init__(self, theme: Theme, choices: ChoiceList) -> None:
        super().__init__()
        self._choices = choices
        self._current_id = ""
        self._delegate = _ChoiceDelegate(theme, self)
        choices.modelAboutToBeReset.connect(self._keep_current)
        self.setModel(choices)
        choices.modelReset.connect(self._restore_current)
        self.setItemDelegate(self._delegate)
        self.setAccessibleName("Models to compare")
        self.setAccessibleDescription("Space chooses a measured model; Enter measures one that has no card")
        self.setUniformItemSizes(True)
        self.setFrameShape(QListView.Shape.NoFrame)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        theme.changed.connect(self.viewport().update)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        row = self.currentIndex().row()
        if event.key() == Qt.Key.Key_Space and row >= 0:
            self._choices.toggle(row)
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and row >= 0:
            self._act(row)
        else:
            super().keyPressEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        super().mouseReleaseEvent(event)
        index = self.indexAt(event.position().toPoint())
        if event.button() != Qt.MouseButton.LeftButton or not index.isValid():
            return
        if self._choices.is_measured(index.row()):
            self._choices.toggle(index.row())
        elif self._delegate.pill(self.visualRect(index)).contains(event.position().toPoint()):
            self._act(index.row())

    def _keep_current(self) -> None:
        record = self._choices.record(self.currentIndex().row())
        self._current_id = record.id if record is not None else ""

    def _restore_current(self) -> None:
        """The same model again; the first one where it is not there any more."""
        if self._choices.rowCount():
            self.setCurrentIndex(self._choices.index(max(self._choices.row_of(self._current_id), 0)))

    def _act(self, row: int) -> None:
        record = self._choices.record(row)
        if not self._choices.toggle(row) and record is not None:
            self.measure_wanted.emit(record.id)


class _ChoiceDelegate(QStyledItemDelegate):
    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self._small = QFont(parent.font())
        self._small.setPixelSize(12)

    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        return QSize(200, _ROW)

    def editorEvent(self, event: QEvent, *_rest: object) -> bool:
        # The view toggles, so that a click does it once wherever it falls.
        return False

    def pill(self, row: QRect) -> QRect:
        width = QFontMetrics(self._small).horizontalAdvance(_PILL) + 18
        return QRect(row.right() - width - 8, row.center().y() - 11, width, 24)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        tokens = self._theme.tokens
        box: QRect = option.rect
        state = option.state
        measured = bool(index.data(Role.MEASURED))
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        frame = box.adjusted(0, 1, -4, -1)
        if state & QStyle.StateFlag.State_HasFocus:
            painter.setPen(QPen(QColor(tokens.accent), 1.5))
            painter.setBrush(QColor(tokens.raised))
            painter.drawRoundedRect(frame.adjusted(1, 1, -1, -1), 7, 7)
        elif state & QStyle.StateFlag.State_MouseOver:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(tokens.raised))
            painter.drawRoundedRect(frame, 7, 7)
        left = box.left() + 8 + _INDENT * min(int(index.data(Role.DEPTH) or 0), _DEEPEST)
        if measured:
            on = index.data(Qt.ItemDataRole.CheckStateRole) is Qt.CheckState.Checked
            self._paint_box(painter, QRect(left, box.center().y() - _BOX // 2, _BOX, _BOX), on)
            right = box.right() - 10
        else:
            self._paint_pill(painter, self.pill(box))
            right = self.pill(box).left() - 6
        room = QRect(left + _BOX + 9, box.top(), right - left - _BOX - 9, _ROW)
        self._paint_words(painter, option.font, room, index, measured)
        painter.restore()

    def _paint_words(
        self, painter: QPainter, font: QFont, room: QRect, index: _Index, measured: bool
    ) -> None:
        tokens = self._theme.tokens
        name, second = str(index.data()), str(index.data(Role.SECOND_LINE))
        painter.setFont(font)
        painter.setPen(QColor(tokens.text if measured else tokens.second))
        middle = Qt.TextElideMode.ElideMiddle
        upper = QRect(room.left(), room.top() + 6, room.width(), 18)
        painter.drawText(
            upper, Qt.AlignmentFlag.AlignVCenter, QFontMetrics(font).elidedText(name, middle, room.width())
        )
        painter.setFont(self._small)
        painter.setPen(QColor(tokens.second))
        lower = QRect(room.left(), room.top() + 24, room.width(), 17)
        text = QFontMetrics(self._small).elidedText(second, Qt.TextElideMode.ElideRight, room.width())
        painter.drawText(lower, Qt.AlignmentFlag.AlignVCenter, text)

    def _paint_box(self, painter: QPainter, box: QRect, on: bool) -> None:
        tokens = self._theme.tokens
        painter.setPen(QPen(QColor(tokens.accent if on else tokens.second), 1))
        painter.setBrush(QColor(tokens.accent if on else tokens.card))
        painter.drawRoundedRect(box.adjusted(1, 1, -1, -1), 5, 5)
        if on:
            sign = pixmap("check", tokens.on_accent, _BOX - 6, painter.device().devicePixelRatioF())
            painter.drawPixmap(box.left() + 3, box.top() + 3, sign)

    def _paint_pill(self, painter: QPainter, box: QRect) -> None:
        tokens = self._theme.tokens
        painter.setPen(QPen(QColor(tokens.line), 1))
        painter.setBrush(QColor(tokens.raised))
        painter.drawRoundedRect(box, 8, 8)
        painter.setFont(self._small)
        painter.setPen(QColor(tokens.text))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, _PILL)
