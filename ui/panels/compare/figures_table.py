"""The table below the charts: sorts by a click or a key, and copies as spreadsheets paste it."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, Qt, Signal
from PySide6.QtGui import QGuiApplication, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView

from ui.models.compare_columns import COLUMNS
from ui.models.compare_figures import csv_text
from ui.models.compare_table import CompareTable

_ROW, _HEADER, _SCROLLBAR = 34, 38, 14
_NAME_WIDTH = 250


class FiguresTable(QTableView):
    """Shows a `CompareTable` at its full height; the page around it scrolls.

    Signals:
        highlighted: A person is at the row of the model in this place.
        copied: So many rows are on the clipboard.
    """

    highlighted = Signal(object)
    copied = Signal(int)

    def __init__(self, table: CompareTable) -> None:
        super().__init__()
        self._table = table
        self.setModel(table)
        self.setAccessibleName("All figures")
        self.setAccessibleDescription(
            "Ctrl+C copies the chosen rows, or all; S sorts by the column of the current cell."
        )
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setFrameShape(QTableView.Shape.NoFrame)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTabKeyNavigation(False)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(_ROW)
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setFixedHeight(_HEADER)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        header.setSortIndicatorClearable(True)
        header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        self.setSortingEnabled(True)
        self.selectionModel().currentRowChanged.connect(self._tell)
        table.modelReset.connect(self._fit)

    def copy(self) -> None:
        """Put the chosen rows on the clipboard, or all where none is chosen, in the order shown."""
        rows = sorted(index.row() for index in self.selectionModel().selectedRows())
        found = self._table.table(rows or None)
        QGuiApplication.clipboard().setText(csv_text(found, tabs=True))
        self.copied.emit(len(found.rows))

    def sort_by_current(self) -> None:
        """Sort by the column of the current cell; again turns the order round."""
        column = max(self.currentIndex().column(), 0)
        header = self.horizontalHeader()
        same = header.sortIndicatorSection() == column
        descending = same and header.sortIndicatorOrder() is Qt.SortOrder.AscendingOrder
        self.sortByColumn(column, Qt.SortOrder.DescendingOrder if descending else Qt.SortOrder.AscendingOrder)

    def show_place(self, place: int | None) -> None:
        """Choose the row of a model without saying so, or none."""
        row = self._table.row_of(place) if place is not None else -1
        self.blockSignals(True)
        self.selectRow(row) if row >= 0 else self.clearSelection()
        self.blockSignals(False)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy()
        elif event.key() == Qt.Key.Key_S and not event.modifiers():
            self.sort_by_current()
        else:
            super().keyPressEvent(event)

    def _tell(self, current: QModelIndex) -> None:
        self.highlighted.emit(self._table.place(current.row()))

    def _fit(self) -> None:
        self.resizeColumnsToContents()
        for column in range(1, len(COLUMNS)):
            self.setColumnWidth(column, self.columnWidth(column) + 14)
        self.setColumnWidth(0, min(self.columnWidth(0) + 14, _NAME_WIDTH))
        self.setFixedHeight(_HEADER + _ROW * self._table.rowCount() + _SCROLLBAR)
