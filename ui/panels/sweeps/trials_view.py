"""The view of the table of trials."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from ui.models.sweep_table import SweepTable

_ROW, _HEADER = 32, 36
#: Pixels: of a column at most, and beside its words.
_WIDEST, _AIR = 260, 14


def trials_view(model: SweepTable, parent: QWidget) -> QTableView:
    """A row is chosen, never a cell; a click on a title sorts."""
    view = QTableView(parent)
    view.setModel(model)
    view.setAccessibleName("Trials")
    view.setAccessibleDescription("Enter opens a trial's job; a click on a column's title sorts by it.")
    view.setShowGrid(False)
    view.setWordWrap(False)
    view.setFrameShape(QTableView.Shape.NoFrame)
    view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
    view.setTabKeyNavigation(False)
    view.verticalHeader().hide()
    view.verticalHeader().setDefaultSectionSize(_ROW)
    header = view.horizontalHeader()
    header.setHighlightSections(False)
    header.setTextElideMode(Qt.TextElideMode.ElideMiddle)
    header.setFixedHeight(_HEADER)
    header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
    header.setStretchLastSection(True)
    header.setSortIndicatorClearable(True)
    header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
    view.setSortingEnabled(True)
    model.modelReset.connect(lambda: _fit(view))
    return view


def _fit(view: QTableView) -> None:
    """Columns as wide as their words, none wider than suits the others; together they fill the room."""
    header = view.horizontalHeader()
    wanted = [
        min(_WIDEST, max(view.sizeHintForColumn(at), header.sectionSizeHint(at)) + _AIR)
        for at in range(header.count())
    ]
    left = max(0, view.viewport().width() - sum(wanted)) // max(1, len(wanted))
    # Otherwise the last one keeps the width to which it was stretched beside the old columns.
    header.setStretchLastSection(False)
    for at, width in enumerate(wanted):
        view.setColumnWidth(at, width + (left if at < len(wanted) - 1 else 0))
    header.setStretchLastSection(True)
