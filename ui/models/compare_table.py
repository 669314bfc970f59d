"""The table of all figures of the compared models, sorted by any of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt
from PySide6.QtGui import QPixmap

from ui.models.compare_columns import COLUMNS, TEXTS
from ui.models.compare_figures import Table, Value
from ui.models.compare_variants import Comparison, Variant

_Index = QModelIndex | QPersistentModelIndex


class CompareTable(QAbstractTableModel):
    """A row for each model that can be compared."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._comparison = Comparison()
        self._order: list[int] = []
        self._sorted_by: tuple[int, Qt.SortOrder] | None = None
        self._picture: Callable[[int], QPixmap] | None = None

    def show_comparison(self, comparison: Comparison, picture: Callable[[int], QPixmap]) -> None:
        """Show these models, sorted as before.

        Args:
            picture: The marker of the model in a place, as the charts draw it.
        """
        self.beginResetModel()
        self._comparison, self._picture = comparison, picture
        self._order = list(range(len(comparison.variants)))
        if self._sorted_by is not None:
            self._sort(*self._sorted_by)
        self.endResetModel()

    def place(self, row: int) -> int | None:
        """Which model of the comparison a row shows."""
        return self._order[row] if 0 <= row < len(self._order) else None

    def row_of(self, place: int) -> int:
        return self._order.index(place) if place in self._order else -1

    def table(self, rows: Sequence[int] | None = None) -> Table:
        """The figures of some rows, or of all, with their errors and intervals in columns of their own."""
        columns = tuple(key for column in COLUMNS for key in column.keys)
        wanted = range(len(self._order)) if rows is None else rows
        return Table(
            columns,
            tuple(
                tuple(value for column in COLUMNS for value in column.values(self._variant(row)))
                for row in wanted
            ),
        )

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        return 0 if parent.isValid() else len(self._order)

    def columnCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        return 0 if parent.isValid() else len(COLUMNS)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> object:
        if orientation is not Qt.Orientation.Horizontal or not 0 <= section < len(COLUMNS):
            return None
        column = COLUMNS[section]
        if role == Qt.ItemDataRole.DisplayRole:
            return column.title
        if role == Qt.ItemDataRole.ToolTipRole:
            return column.tip or None
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _alignment(section)
        return None

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid() or index.row() >= len(self._order):
            return None
        column = COLUMNS[index.column()]
        variant = self._variant(index.row())
        if role == Qt.ItemDataRole.DisplayRole:
            return column.words(variant)
        if role == Qt.ItemDataRole.ToolTipRole:
            return variant.name if index.column() == 0 else column.tip or None
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _alignment(index.column())
        if role == Qt.ItemDataRole.DecorationRole and index.column() == 0 and self._picture is not None:
            return self._picture(self._order[index.row()])
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{column.title}: {column.words(variant)}"
        return None

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        self.layoutAboutToBeChanged.emit()
        before = list(self._order)
        self._sorted_by = (column, order) if 0 <= column < len(COLUMNS) else None
        if self._sorted_by is None:
            self._order.sort()
        else:
            self._sort(column, order)
        moved = [self.index(self._order.index(place), 0) for place in before]
        for old in self.persistentIndexList():
            self.changePersistentIndex(old, moved[old.row()].siblingAtColumn(old.column()))
        self.layoutChanged.emit()

    def _sort(self, column: int, order: Qt.SortOrder) -> None:
        """By the column's first figure; what was not measured stays at the end either way."""

        def key(place: int) -> Value:
            found = COLUMNS[column].values(self._comparison.variants[place])[0]
            return found.casefold() if isinstance(found, str) else found

        self._order.sort()
        known = [place for place in self._order if key(place) is not None]
        unknown = [place for place in self._order if key(place) is None]
        known.sort(key=key, reverse=order is Qt.SortOrder.DescendingOrder)  # type: ignore[arg-type]
        self._order = known + unknown

    def _variant(self, row: int) -> Variant:
        return self._comparison.variants[self._order[row]]


def _alignment(column: int) -> Qt.AlignmentFlag:
    side = Qt.AlignmentFlag.AlignLeft if column in TEXTS else Qt.AlignmentFlag.AlignRight
    return side | Qt.AlignmentFlag.AlignVCenter
