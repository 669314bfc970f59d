"""Rows that a person should look at: those that can't be used, long ones, and those there twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QPushButton,
    QTabBar,
    QTableView,
    QWidget,
)

from ui import format
from ui.panels.finetune.data_answer import DataAnswer
from ui.panels.finetune.small_choice import SmallChoice
from ui.widgets.card import Card, label
from workbench.params import FieldSpec

_Index = QModelIndex | QPersistentModelIndex
_ROW = 28
#: So many rows are seen at once; the rest is scrolled to.
_MOST_SEEN = 7
_LINE_WIDTH = 84
_FILE_WIDTH = 112


@dataclass(frozen=True, slots=True)
class ListedRow:
    """Where a row stands, and what there is to say of it."""

    file: str
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class RowList:
    """Rows of one sort; `count` says how many there are where only the first are listed."""

    title: str
    rows: tuple[ListedRow, ...]
    count: int


class ListedRowModel(QAbstractTableModel):
    """File, line, and what there is to say."""

    TITLES = ("File", "Line", "What about it")

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: Sequence[ListedRow] = ()

    def set_rows(self, rows: Sequence[ListedRow]) -> None:
        if rows != self._rows:
            self.beginResetModel()
            self._rows = rows
            self.endResetModel()

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.TITLES)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _side(section)
        return self.TITLES[section] if role == Qt.ItemDataRole.DisplayRole else None

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        row = self._rows[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return (row.file, format.grouped(row.line), row.text)[index.column()]
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            return f"{row.file}, line {row.line}: {row.text}"
        return _side(index.column()) if role == Qt.ItemDataRole.TextAlignmentRole else None

    def text(self) -> str:
        """All of them as lines with tabs between, for the clipboard."""
        return "\n".join(f"{row.file}\t{row.line}\t{row.text}" for row in self._rows)


class RowListsCard(Card):
    """One list at a time, behind tabs that say how many rows each has. Hidden while all are empty.

    Signals:
        bad_chosen: What happens to rows that can't be used: `skip` or `refuse`.
    """

    bad_chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent=parent)
        self._lists: tuple[RowList, ...] = ()
        self.tabs = QTabBar()
        self.tabs.setAccessibleName("Rows to look at")
        self.tabs.setDrawBase(False)
        self.tabs.setExpanding(False)
        self.tabs.currentChanged.connect(self._show_list)
        self.choice = SmallChoice("Bad ones")
        self.choice.chosen.connect(self.bad_chosen)
        self._copy = QPushButton("Copy")
        self._copy.setProperty("variant", "quiet")
        self._copy.setAccessibleName("Copy this list")
        self._copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(self.model.text()))
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(self.tabs)
        head.addStretch(1)
        head.addWidget(self._copy)
        self.model = ListedRowModel(self)
        self.table = QTableView()
        self._set_up_table()
        self._rest = label("", "caption")
        foot = QHBoxLayout()
        foot.addWidget(self._rest, 1)
        foot.addWidget(self.choice)
        self.column.addLayout(head)
        self.column.addWidget(self.table)
        self.column.addLayout(foot)
        self.hide()

    def set_spec(self, spec: FieldSpec | None) -> None:
        self.choice.set_spec(spec)

    def show_answer(self, answer: DataAnswer) -> None:
        """List what an answer names; the sort that was looked at stays."""
        before = self.tabs.currentIndex()
        titles = [each.title for each in self._lists]
        kept = titles[before] if 0 <= before < len(titles) else ""
        self._lists = tuple(each for each in lists_of(answer) if each.count)
        self.tabs.blockSignals(True)
        while self.tabs.count():
            self.tabs.removeTab(0)
        for each in self._lists:
            self.tabs.addTab(f"{each.title} · {format.grouped(each.count)}")
        now = [each.title for each in self._lists]
        self.tabs.setCurrentIndex(now.index(kept) if kept in now else 0)
        self.tabs.blockSignals(False)
        self.table.setColumnHidden(0, len(answer.files) < 2)
        self._show_list()
        self.setVisible(bool(self._lists))

    def _show_list(self) -> None:
        place = self.tabs.currentIndex()
        if not 0 <= place < len(self._lists):
            return
        shown = self._lists[place]
        self.model.set_rows(shown.rows)
        rest = shown.count > len(shown.rows)
        self._rest.setText(f"The first {format.grouped(len(shown.rows))} are listed." if rest else "")
        self.choice.setVisible(shown.title == "Bad" and bool(self.choice.combo.count()))
        seen = min(len(shown.rows), _MOST_SEEN)
        self.table.setFixedHeight(self.table.horizontalHeader().sizeHint().height() + seen * _ROW + 4)
        self.table.setAccessibleName(f"{shown.title} rows")

    def _set_up_table(self) -> None:
        table = self.table
        table.setModel(self.model)
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        table.setShowGrid(False)
        table.setWordWrap(False)
        table.setTabKeyNavigation(False)
        table.setTextElideMode(Qt.TextElideMode.ElideRight)
        table.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(_ROW)
        header = table.horizontalHeader()
        header.setHighlightSections(False)
        header.setSectionsClickable(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Fixed)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.Fixed)
        header.setSectionResizeMode(2, QHeaderView.ResizeMode.Stretch)
        table.setColumnWidth(0, _FILE_WIDTH)
        table.setColumnWidth(1, _LINE_WIDTH)


def lists_of(answer: DataAnswer) -> tuple[RowList, ...]:
    """The lists of an answer, empty ones too."""
    bad = tuple(ListedRow(row.file, row.line, row.problem) for row in answer.bad_rows)
    long = tuple(
        ListedRow(row.file, row.line, f"{format.grouped(row.tokens)} tokens") for row in answer.long_rows
    )
    alike = tuple(
        ListedRow(
            row.other_file,
            row.other_line,
            f"nearly the same as line {format.grouped(row.line)}"
            + (f" of {row.file}" if row.file != row.other_file else "")
            + ("; one of them is held out" if row.across else ""),
        )
        for row in answer.alike
    )
    return (
        RowList("Bad", bad, answer.bad),
        RowList("Long", long, answer.cut_rows),
        RowList("Nearly twice", alike, max(answer.alike_rows, len(alike))),
    )


def _side(column: int) -> Qt.AlignmentFlag:
    side = Qt.AlignmentFlag.AlignRight if column == 1 else Qt.AlignmentFlag.AlignLeft
    return side | Qt.AlignmentFlag.AlignVCenter
