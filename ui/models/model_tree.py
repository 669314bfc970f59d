"""The models as the lines of a table: each base, and indented under it what was made from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal

from ui.models.model_columns import PROVED, RIGHT_BOUND, TIPS, TITLES, Column, sort_key
from ui.models.model_proofs import ProofRow
from ui.widgets.model_words import (
    Tone,
    added_line,
    beside_base,
    distance_line,
    fit_line,
    gain_line,
    grade_line,
    search_text,
    short_name,
    size_line,
    speed_line,
    spoken,
    times_line,
)
from ui.widgets.tuning_words import tuning_line
from workbench.library.fit import FitEstimate
from workbench.library.lineage import Branch, tree
from workbench.library.records import ModelRecord

_Index = QModelIndex | QPersistentModelIndex


class ModelTree(QAbstractTableModel):
    """Model records in the order of their lineage, filtered by a search and sorted within each level.

    A table of lines rather than Qt's own tree: a tree view walks every row before it paints the first,
    which takes 0.1 s for ten thousand; a table asks for the rows on screen alone.

    Signals:
        rename_wanted: A name was typed over another: the model's id, and the new name.
    """

    rename_wanted = Signal(str, str)

    RECORD_ROLE = Qt.ItemDataRole.UserRole + 1

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._branches: list[Branch] = []
        self._records: dict[str, ModelRecord] = {}
        self._texts: dict[str, str] = {}
        self._parents: frozenset[str] = frozenset()
        self._collapsed: set[str] = set()
        self._words: tuple[str, ...] = ()
        self._sort = (Column.NAME, Qt.SortOrder.AscendingOrder)
        self._rows: list[ModelRecord] = []
        self._depths: list[int] = []
        self._places: dict[str, int] = {}
        self._fit: Callable[[ModelRecord], FitEstimate | None] = lambda _record: None
        self._missing: Callable[[ModelRecord], bool] = lambda _record: False
        self._proofs: Mapping[str, ProofRow] = {}

    def ask_live(
        self, fit: Callable[[ModelRecord], FitEstimate | None], missing: Callable[[ModelRecord], bool]
    ) -> None:
        """Where to ask what is no part of a record: whether it fits here, and whether its files are gone."""
        self._fit = fit
        self._missing = missing

    # ------------------------------------------------------------------ content

    def set_records(self, records: Iterable[ModelRecord]) -> None:
        """Take the whole list anew; what is folded stays folded."""
        listed = list(records)
        fresh = {record.id: record for record in listed}
        if listed == list(self._records.values()):
            return
        self.beginResetModel()
        self._records = fresh
        self._texts = {}
        self._branches = tree(listed)
        self._parents = frozenset(
            record.parent_id for record in listed if record.parent_id and record.parent_id in fresh
        )
        self._collapsed &= self._parents
        self._lay_out()
        self.endResetModel()

    def set_proofs(self, proofs: Mapping[str, ProofRow]) -> None:
        """What was proved of the models, by content hash."""
        self._proofs = proofs
        if self._sort[0] in PROVED:
            self._sort_anew()
        if self._rows:
            self.dataChanged.emit(self.index(0, 0), self.index(len(self._rows) - 1, len(Column) - 1))

    def set_search(self, text: str) -> None:
        """Show the models in which every word occurs, each below those that it was made from."""
        words = tuple(text.casefold().split())
        if words == self._words:
            return
        self.beginResetModel()
        self._words = words
        self._lay_out()
        self.endResetModel()

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort each level by a column; what was made from a model stays below it."""
        if (Column(column), order) == self._sort:
            return
        self._sort = (Column(column), order)
        self._sort_anew()

    def _sort_anew(self) -> None:
        self.layoutAboutToBeChanged.emit()
        kept = [(index, index.row(), index.column()) for index in self.persistentIndexList()]
        ids = {row: self._rows[row].id for _, row, _ in kept}
        self._lay_out()
        for index, row, at in kept:
            self.changePersistentIndex(index, self.index(self.row_of(ids[row]), at))
        self.layoutChanged.emit()

    def fold(self, row: int, folded: bool) -> None:
        """Hide or show what was made from the model in a row."""
        record = self._rows[row]
        if record.id not in self._parents or (record.id in self._collapsed) == folded or self._words:
            return
        if folded:
            last = row
            while last + 1 < len(self._rows) and self._depths[last + 1] > self._depths[row]:
                last += 1
            self.beginRemoveRows(QModelIndex(), row + 1, last)
            self._collapsed.add(record.id)
            self._lay_out()
            self.endRemoveRows()
        else:
            self._collapsed.discard(record.id)
            before = len(self._rows)
            rows, depths = self._lines()
            self.beginInsertRows(QModelIndex(), row + 1, row + len(rows) - before)
            self._take(rows, depths)
            self.endInsertRows()
        here = self.index(row, 0)
        self.dataChanged.emit(here, here)

    def touch(self, id: str) -> None:
        """What is no part of a record became known: paint its row again."""
        row = self._places.get(id, -1)
        if row >= 0:
            self.dataChanged.emit(self.index(row, 0), self.index(row, len(Column) - 1))

    # ------------------------------------------------------------------ asking

    def record(self, row: int) -> ModelRecord | None:
        return self._rows[row] if 0 <= row < len(self._rows) else None

    def find(self, id: str) -> ModelRecord | None:
        """The record of an id, on screen or not."""
        return self._records.get(id)

    def row_of(self, id: str) -> int:
        """The row of a model; -1 where it is unknown, filtered out or folded away."""
        return self._places.get(id, -1)

    def parent_row(self, row: int) -> int:
        """The row of the model that the one in `row` was made from; -1 for a base."""
        return self.row_of(self._rows[row].parent_id or "") if self._depths[row] else -1

    def depth(self, row: int) -> int:
        return self._depths[row]

    def is_last_child(self, row: int) -> bool:
        """Whether no sibling follows: the line of lineage ends here."""
        return not self.goes_on(row, self._depths[row])

    def goes_on(self, row: int, depth: int) -> bool:
        """Whether another row of this depth follows below the same parent."""
        for below in range(row + 1, len(self._depths)):
            if self._depths[below] <= depth:
                return self._depths[below] == depth
        return False

    def has_children(self, row: int) -> bool:
        return self._rows[row].id in self._parents

    def is_folded(self, row: int) -> bool:
        return not self._words and self._rows[row].id in self._collapsed

    def parent_record(self, record: ModelRecord) -> ModelRecord | None:
        return self._records.get(record.parent_id or "")

    def all_records(self) -> list[ModelRecord]:
        return list(self._records.values())

    def shown_name(self, row: int) -> str:
        """The name as the row shows it: without what it has in common with the row that it hangs under."""
        record = self._rows[row]
        parent = self.parent_record(record) if self._depths[row] else None
        return short_name(record, parent)

    def fit(self, record: ModelRecord) -> FitEstimate | None:
        return self._fit(record)

    def fit_words(self, record: ModelRecord) -> tuple[str, Tone]:
        """Whether it fits here, in words, and their tone."""
        return beside_base() if record.format == "adapter" else fit_line(self._fit(record))

    def missing(self, record: ModelRecord) -> bool:
        return self._missing(record)

    def proof(self, record: ModelRecord) -> ProofRow | None:
        """What was proved of a model; None where nothing was, or its content is not known yet."""
        return self._proofs.get(record.sha256 or "")

    def has_proofs(self) -> bool:
        """Whether the columns of speed, gain and distance have anything to show."""
        return any(record.tuning is not None or record.sha256 in self._proofs for record in self._rows)

    # ------------------------------------------------------------------ Qt's questions

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(Column)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        if orientation is not Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return TITLES[Column(section)]
        if role == Qt.ItemDataRole.ToolTipRole:
            return TIPS.get(Column(section))
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignRight if section in RIGHT_BOUND else Qt.AlignmentFlag.AlignLeft
            return side | Qt.AlignmentFlag.AlignVCenter
        return None

    def flags(self, index: _Index) -> Qt.ItemFlag:
        flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemNeverHasChildren
        return flags | Qt.ItemFlag.ItemIsEditable if index.column() == Column.NAME else flags

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        record = self.record(index.row())
        if record is None:
            return None
        if role == self.RECORD_ROLE:
            return record
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(record, Column(index.column()))
        if role == Qt.ItemDataRole.EditRole:
            return record.name
        if role == Qt.ItemDataRole.ToolTipRole:
            return "\n".join([record.name, *self._gained(record), str(record.path)])
        if role == Qt.ItemDataRole.AccessibleTextRole:
            if index.column() != Column.NAME:
                return f"{TITLES[Column(index.column())]}: {self._text(record, Column(index.column()))}"
            return spoken(record, self.parent_record(record), self._missing(record), self.proof(record))
        return None

    def setData(self, index: _Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        record = self.record(index.row())
        if record is None or role != Qt.ItemDataRole.EditRole or str(value).strip() == record.name:
            return False
        # The library decides whether the name will do; the list changes when it says so.
        self.rename_wanted.emit(record.id, str(value))
        return False

    # ------------------------------------------------------------------ layout

    def _text(self, record: ModelRecord, column: Column) -> str:
        match column:
            case Column.NAME:
                return record.name
            case Column.SIZE:
                return size_line(record)
            case Column.SPEED:
                return speed_line(self.proof(record))
            case Column.GAIN:
                return times_line(self.proof(record))
            case Column.DISTANCE:
                return distance_line(record, self.proof(record))
            case Column.GRADE:
                return grade_line(record, self.proof(record))
            case Column.FITS:
                return "missing" if self._missing(record) else self.fit_words(record)[0]
            case Column.ADDED:
                return added_line(record)

    def _gained(self, record: ModelRecord) -> list[str]:
        """What came of making it, in full."""
        proof = self.proof(record)
        lines = [tuning_line(record.tuning)] if record.tuning is not None else []
        proved = proof.headline if proof is not None else ""
        smaller = gain_line(record, self.parent_record(record)) if not lines else ""
        return [*lines, *([proved or smaller] if proved or smaller else [])]

    def _lay_out(self) -> None:
        self._take(*self._lines())

    def _take(self, rows: list[ModelRecord], depths: list[int]) -> None:
        self._rows = rows
        self._depths = depths
        self._places = {record.id: row for row, record in enumerate(rows)}

    def _lines(self) -> tuple[list[ModelRecord], list[int]]:
        kept = self._kept()
        column, order = self._sort
        key = sort_key(column, self.proof)
        descending = order is Qt.SortOrder.DescendingOrder

        def ordered(branches: Iterable[Branch]) -> list[Branch]:
            found = [each for each in branches if kept is None or each.record.id in kept]
            if len(found) > 1:
                found.sort(key=lambda branch: key(branch.record), reverse=descending)
            return found

        rows: list[ModelRecord] = []
        depths: list[int] = []
        waiting = [(branch, 0) for branch in reversed(ordered(self._branches))]
        while waiting:
            branch, depth = waiting.pop()
            rows.append(branch.record)
            depths.append(depth)
            if branch.children and (self._words or branch.record.id not in self._collapsed):
                waiting += [(child, depth + 1) for child in reversed(ordered(branch.children))]
        return rows, depths

    def _kept(self) -> set[str] | None:
        """What a search leaves: the models that match and all that they were made from; None for all."""
        if not self._words:
            return None
        kept: set[str] = set()
        for record in self._records.values():
            text = self._texts.get(record.id)
            if text is None:
                text = self._texts[record.id] = search_text(record)
            if all(word in text for word in self._words):
                above: ModelRecord | None = record
                while above is not None and above.id not in kept:
                    kept.add(above.id)
                    above = self._records.get(above.parent_id or "")
        return kept
