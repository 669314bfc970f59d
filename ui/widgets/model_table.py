"""The table of models: one line each, used by mouse or by keyboard alone."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QModelIndex, QPoint, Qt, Signal
from PySide6.QtGui import QContextMenuEvent, QFocusEvent, QKeyEvent, QMouseEvent, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from ui.models.model_columns import Column
from ui.models.model_tree import ModelTree
from ui.theme import Theme
from ui.widgets.model_delegate import ROW_HEIGHT, ModelDelegate
from workbench.library.records import ModelRecord

#: Widths in pixels of the columns beside the name, where there is little room and where there is enough.
_NARROW = {
    Column.SIZE: 78,
    Column.SPEED: 88,
    Column.GAIN: 54,
    Column.DISTANCE: 98,
    Column.GRADE: 110,
    Column.FITS: 142,
    Column.ADDED: 104,
}
_WIDE = {
    Column.SIZE: 94,
    Column.SPEED: 104,
    Column.GAIN: 68,
    Column.DISTANCE: 138,
    Column.GRADE: 124,
    Column.FITS: 180,
    Column.ADDED: 110,
}
#: The name's least width, and that from which on other columns take more.
_LEAST_NAME, _NAME_WIDTH = 210, 300
#: What goes first where there is no room; the first two go before columns become narrow.
_LEAVE = (Column.ADDED, Column.FITS, Column.GRADE, Column.GAIN, Column.SPEED, Column.SIZE)
_NARROW_FROM = 2
#: The same while nothing was proved: columns of dashes leave before what is known.
_LEAVE_UNPROVED = (Column.DISTANCE, Column.GRADE, Column.GAIN, Column.SPEED, Column.ADDED, Column.FITS)


class ModelTable(QTableView):
    """Shows a `ModelTree`.

    Signals:
        opened: Enter or a double click on a model.
        chosen_changed: Another model became the current one (None for none).
        menu_wanted: The context menu was asked for, at a global position.
        removal_wanted: Delete was pressed.
    """

    opened = Signal(object)
    chosen_changed = Signal(object)
    menu_wanted = Signal(QPoint)
    removal_wanted = Signal()

    def __init__(self, model: ModelTree, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tree = model
        self._painter = ModelDelegate(theme, self)
        self.setAccessibleName("Models")
        self.setAccessibleDescription(
            "Enter opens Optimize, F2 renames, Delete removes, left and right fold its family."
        )
        self.setModel(model)
        self.setItemDelegate(self._painter)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setFrameShape(QTableView.Shape.NoFrame)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.EditKeyPressed)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTabKeyNavigation(False)
        self.setMouseTracking(True)
        self.verticalHeader().hide()
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.verticalHeader().setDefaultSectionSize(ROW_HEIGHT)
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        header.setSectionsClickable(True)
        header.setSortIndicator(Column.NAME, Qt.SortOrder.AscendingOrder)
        header.setMinimumSectionSize(40)
        header.setFixedHeight(38)
        self.setSortingEnabled(True)
        self.selectionModel().currentRowChanged.connect(self._tell_chosen)
        theme.changed.connect(self.viewport().update)

    # ------------------------------------------------------------------ asking and choosing

    def current(self) -> ModelRecord | None:
        return self._tree.record(self.currentIndex().row())

    def chosen(self) -> list[ModelRecord]:
        """The selected models from top to bottom; the current one where none is selected."""
        rows = sorted(index.row() for index in self.selectionModel().selectedRows())
        found = [record for row in rows if (record := self._tree.record(row)) is not None]
        current = self.current()
        return found or ([current] if current else [])

    def choose(self, id: str) -> bool:
        """Make a model the current one; false where it has no row."""
        row = self._tree.row_of(id)
        if row < 0:
            return False
        self.selectRow(row)
        self.setCurrentIndex(self._tree.index(row, Column.NAME))
        self.scrollTo(self._tree.index(row, Column.NAME))
        return True

    def choose_row(self, row: int) -> None:
        """Make the model in a row the current one, where there is such a row."""
        record = self._tree.record(row)
        if record is not None:
            self.choose(record.id)

    def rename(self, id: str) -> None:
        """Let the person type another name over the old one."""
        if self.choose(id):
            self.edit(self._tree.index(self._tree.row_of(id), Column.NAME))

    def sort_by(self, column: Column) -> None:
        """Sort by a column; by the same one again turns the order round."""
        header = self.horizontalHeader()
        same = header.sortIndicatorSection() == column
        ascending = header.sortIndicatorOrder() is Qt.SortOrder.AscendingOrder
        descending = same and ascending
        self.sortByColumn(column, Qt.SortOrder.DescendingOrder if descending else Qt.SortOrder.AscendingOrder)

    # ------------------------------------------------------------------ events

    def keyPressEvent(self, event: QKeyEvent) -> None:
        row = self.currentIndex().row()
        match event.key():
            case Qt.Key.Key_Return | Qt.Key.Key_Enter if self.state() != self.State.EditingState:
                if (record := self.current()) is not None:
                    self.opened.emit(record)
            case Qt.Key.Key_Delete:
                self.removal_wanted.emit()
            case Qt.Key.Key_Left if row >= 0:
                if self._tree.has_children(row) and not self._tree.is_folded(row):
                    self._tree.fold(row, True)
                elif (parent := self._tree.parent_row(row)) >= 0:
                    self._go_to(parent)
            case Qt.Key.Key_Right if row >= 0:
                if self._tree.is_folded(row):
                    self._tree.fold(row, False)
                elif self._tree.has_children(row):
                    self._go_to(row + 1)
            case Qt.Key.Key_Home:
                self._go_to(0)
            case Qt.Key.Key_End:
                self._go_to(self._tree.rowCount() - 1)
            case _:
                super().keyPressEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        index = self.indexAt(event.position().toPoint())
        if self._is_chevron(index, event):
            self._tree.fold(index.row(), not self._tree.is_folded(index.row()))
            return
        super().mousePressEvent(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        index = self.indexAt(event.position().toPoint())
        record = self._tree.record(index.row())
        if self._is_chevron(index, event):
            self._tree.fold(index.row(), not self._tree.is_folded(index.row()))
        elif record is not None and event.button() == Qt.MouseButton.LeftButton:
            self.opened.emit(record)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        self._hover(self.indexAt(event.position().toPoint()).row())

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._hover(-1)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        if not self.currentIndex().isValid() and self._tree.rowCount():
            self._go_to(0)
        self.viewport().update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.viewport().update()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        place = event.globalPos()
        if event.reason() is QContextMenuEvent.Reason.Keyboard:
            rect = self.visualRect(self.currentIndex())
            place = self.viewport().mapToGlobal(rect.bottomLeft() + QPoint(32, 0))
        self.menu_wanted.emit(place)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.arrange()

    def arrange(self) -> None:
        """Give each column its width, and hide what there is no room for."""
        room = self.viewport().width()
        widths = columns_for(room, proved=self._tree.has_proofs())
        for column in _WIDE:
            self.setColumnHidden(column, column not in widths)
            self.setColumnWidth(column, widths.get(column, 0))
        self.setColumnWidth(Column.NAME, max(room - sum(widths.values()), 160))

    # ------------------------------------------------------------------ parts

    def _go_to(self, row: int) -> None:
        if 0 <= row < self._tree.rowCount():
            self.selectRow(row)
            self.setCurrentIndex(self._tree.index(row, Column.NAME))

    def _tell_chosen(self, current: QModelIndex) -> None:
        self.chosen_changed.emit(self._tree.record(current.row()))

    def _is_chevron(self, index: QModelIndex, event: QMouseEvent) -> bool:
        return (
            index.isValid()
            and index.column() == Column.NAME
            and event.button() == Qt.MouseButton.LeftButton
            and self._tree.has_children(index.row())
            and self._painter.on_chevron(self.visualRect(index), index, int(event.position().x()))
        )

    def _hover(self, row: int) -> None:
        if row == self._painter.hovered_row:
            return
        for each in (self._painter.hovered_row, row):
            if each >= 0:
                top = self.rowViewportPosition(each)
                self.viewport().update(0, top, self.viewport().width(), ROW_HEIGHT)
        self._painter.hovered_row = row


def columns_for(room: int, *, proved: bool) -> dict[Column, int]:
    """The columns beside the name that have room, with their widths.

    Args:
        room: Of the whole table, in pixels.
        proved: Whether anything was measured of any model.

    >>> [column.name for column in columns_for(670, proved=True)]
    ['SIZE', 'SPEED', 'GAIN', 'DISTANCE', 'GRADE']
    >>> [column.name for column in columns_for(670, proved=False)]
    ['SIZE', 'SPEED', 'FITS', 'ADDED']
    >>> len(columns_for(1300, proved=False))
    7
    """
    leave = _LEAVE if proved else _LEAVE_UNPROVED
    for count in range(len(leave) + 1):
        shown = [column for column in _WIDE if column not in leave[:count]]
        for widths, name, least in ((_WIDE, _NAME_WIDTH, 0), (_NARROW, _LEAST_NAME, _NARROW_FROM)):
            if count >= least and room - sum(widths[column] for column in shown) >= name:
                return {column: widths[column] for column in shown}
    return {column: _NARROW[column] for column in shown}
