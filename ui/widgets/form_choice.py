"""A searchable table of choices under headings, with figures and advice beside each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import (
    QAbstractTableModel,
    QEvent,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    Qt,
    Signal,
)
from PySide6.QtGui import QBrush, QFont, QKeyEvent, QPalette
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QLineEdit,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from workbench.params import Choice

#: How figures of choices are headed and shown; others are headed by their own name.
_FACT_TITLES = {"bits": "Bits / weight"}

#: Shown beside a choice, for example `≈ 105 MB`; empty where nothing can be said.
Annotate = Callable[[Choice], str]

_Index = QModelIndex | QPersistentModelIndex


class ChoiceModel(QAbstractTableModel):
    """Choices as rows under headings: title, figures, an estimate, advice."""

    def __init__(self, title: str, choices: tuple[Choice, ...], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._title = title
        self._choices = choices
        self._facts = list(dict.fromkeys(name for choice in choices for name in choice.facts))
        self._annotations: dict[str, str] = {}
        self._rows: list[Choice | str] = []
        self._search = ""
        self._build()

    def columnCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        return 0 if parent.isValid() else 2 + len(self._facts) + bool(self._annotations)

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self._rows)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.TextAlignmentRole:
            return self._alignment(section)
        if orientation != Qt.Orientation.Horizontal or role != Qt.ItemDataRole.DisplayRole:
            return None
        titles = [
            "Type",
            *(_FACT_TITLES.get(name, name.replace("_", " ").capitalize()) for name in self._facts),
        ]
        if self._annotations:
            titles.append("Size")
        return [*titles, "Advice"][section]

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        row = self._rows[index.row()]
        if isinstance(row, str):
            return self._heading(row, index.column(), role)
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            text = self._cells(row)[index.column()]
            return text if role == Qt.ItemDataRole.DisplayRole else row.help or text
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return self._alignment(index.column())
        if role == Qt.ItemDataRole.FontRole and index.column() == 0:
            font = QFont()
            font.setWeight(QFont.Weight.DemiBold)
            return font
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return ", ".join(text for text in self._cells(row) if text)
        return None

    def flags(self, index: _Index) -> Qt.ItemFlag:
        if not index.isValid() or isinstance(self._rows[index.row()], str):
            return Qt.ItemFlag.NoItemFlags
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable

    def choice(self, row: int) -> Choice | None:
        found = self._rows[row] if 0 <= row < len(self._rows) else None
        return found if isinstance(found, Choice) else None

    def row_of(self, value: str | None) -> int:
        return next(
            (n for n, row in enumerate(self._rows) if isinstance(row, Choice) and row.value == value), -1
        )

    def headings(self) -> list[int]:
        return [number for number, row in enumerate(self._rows) if isinstance(row, str)]

    def find(self, value: str | None) -> Choice | None:
        return next((choice for choice in self._choices if choice.value == value), None)

    def search(self, text: str) -> None:
        """Keep the choices that hold every word of `text` in their title, heading or advice."""
        self._search = text
        self._build()

    def annotate(self, annotation: Annotate | None) -> None:
        found = {} if annotation is None else {each.value: annotation(each) for each in self._choices}
        self.beginResetModel()
        self._annotations = {value: text for value, text in found.items() if text}
        self.endResetModel()

    def _build(self) -> None:
        words = self._search.casefold().split()
        self.beginResetModel()
        self._rows = []
        groups = dict.fromkeys(choice.group for choice in self._choices)
        for group in groups:
            kept = [each for each in self._choices if each.group == group and _holds(each, words)]
            if kept and group:
                self._rows.append(group)
            self._rows.extend(kept)
        self.endResetModel()

    def _cells(self, choice: Choice) -> list[str]:
        facts = [f"{choice.facts[name]:.3g}" if name in choice.facts else "" for name in self._facts]
        size = [self._annotations.get(choice.value, "")] if self._annotations else []
        return [choice.title or choice.value, *facts, *size, choice.help]

    def _heading(self, text: str, column: int, role: int) -> Any:
        if column == 0 and role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return text
        if role == Qt.ItemDataRole.ForegroundRole:
            view = self.parent()
            if isinstance(view, QWidget):
                return QBrush(view.palette().color(QPalette.ColorRole.PlaceholderText))
        return None

    def _alignment(self, column: int) -> Qt.AlignmentFlag:
        figures = 0 < column < self.columnCount() - 1
        side = Qt.AlignmentFlag.AlignRight if figures else Qt.AlignmentFlag.AlignLeft
        return side | Qt.AlignmentFlag.AlignVCenter


class ChoiceTable(QWidget):
    """The input of a choice that is too long, or needs too much advice, for a combo box."""

    edited = Signal()

    def __init__(self, title: str, choices: tuple[Choice, ...], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._value: str | None = None
        self.search = QLineEdit()
        self.search.setPlaceholderText(f"Search {len(choices)} choices")
        self.search.setClearButtonEnabled(True)
        self.search.setAccessibleName(f"Search {title}")
        self.table = QTableView()
        self.table.setAccessibleName(title)
        self.model = ChoiceModel(title, choices, self.table)
        self._set_up_table()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(self.search)
        layout.addWidget(self.table, 1)
        self.search.textChanged.connect(self._filter)
        self.search.installEventFilter(self)
        self.table.selectionModel().currentRowChanged.connect(self._moved)
        self.setFocusProxy(self.table)
        self._arrange()

    def value(self) -> str | None:
        return self._value

    def set_value(self, value: str | None) -> None:
        self._value = value
        self._show_value()
        self.edited.emit()

    def annotate(self, annotation: Annotate | None) -> None:
        """Show a text beside every choice (an estimated size)."""
        self.model.annotate(annotation)
        self._arrange()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Up and Down in the search field move in the table."""
        if watched is self.search and isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            if event.key() in (Qt.Key.Key_Down, Qt.Key.Key_Up):
                self.table.setFocus()
                return True
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and not event.modifiers():
                self._choose_first()
                return True
        return super().eventFilter(watched, event)

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
        table.verticalHeader().setDefaultSectionSize(30)
        table.horizontalHeader().setHighlightSections(False)
        table.horizontalHeader().setSectionsClickable(False)
        table.setMinimumHeight(240)

    def _arrange(self) -> None:
        header = self.table.horizontalHeader()
        last = self.model.columnCount() - 1
        for column in range(last):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Fixed)
            # Measured over every row, headings excluded, so that no column jumps while one scrolls.
            self.table.setColumnWidth(column, self._width_of(column))
        header.setSectionResizeMode(last, QHeaderView.ResizeMode.Stretch)
        self.table.clearSpans()
        for row in self.model.headings():
            self.table.setSpan(row, 0, 1, self.model.columnCount())
        self._show_value()

    def _width_of(self, column: int) -> int:
        metrics = self.table.fontMetrics()
        texts = [str(self.model.headerData(column, Qt.Orientation.Horizontal))]
        headings = set(self.model.headings())
        texts += [
            str(self.model.index(row, column).data() or "")
            for row in range(self.model.rowCount())
            if row not in headings
        ]
        return max(metrics.horizontalAdvance(text) for text in texts) + 34

    def _filter(self, text: str) -> None:
        self.model.search(text)
        self._arrange()

    def _show_value(self) -> None:
        row = self.model.row_of(self._value)
        selection = self.table.selectionModel()
        selection.blockSignals(True)
        if row < 0:
            self.table.clearSelection()
            selection.clearCurrentIndex()
        else:
            self.table.setCurrentIndex(self.model.index(row, 0))
            self.table.scrollTo(self.model.index(row, 0), QAbstractItemView.ScrollHint.EnsureVisible)
        selection.blockSignals(False)
        self.table.viewport().update()

    def _choose_first(self) -> None:
        rows = (self.model.choice(row) for row in range(self.model.rowCount()))
        first = next((choice for choice in rows if choice is not None), None)
        if first is not None:
            self.set_value(first.value)

    def _moved(self, current: QModelIndex, _previous: QModelIndex) -> None:
        choice = self.model.choice(current.row())
        if choice is not None and choice.value != self._value:
            self._value = choice.value
            self.edited.emit()


def _holds(choice: Choice, words: list[str]) -> bool:
    text = " ".join((choice.value, choice.title, choice.group, choice.help)).casefold()
    return all(word in text for word in words)
