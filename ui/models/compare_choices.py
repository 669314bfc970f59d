"""The models that can be chosen for a comparison: those with a proof card, and those that need one first."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal

from ui import format as show
from workbench.library.lineage import Branch, rows, tree
from workbench.library.records import ModelRecord
from workbench.measure.card import Card

_Index = QModelIndex | QPersistentModelIndex

#: So many models at once can be told apart in the charts.
MOST = 24


class Role(IntEnum):
    """What the list's delegate asks for beside Qt's own roles."""

    RECORD = Qt.ItemDataRole.UserRole
    DEPTH = Qt.ItemDataRole.UserRole + 1
    SECOND_LINE = Qt.ItemDataRole.UserRole + 2
    MEASURED = Qt.ItemDataRole.UserRole + 3


@dataclass(frozen=True, slots=True)
class _Row:
    record: ModelRecord
    depth: int
    card: Card | None


class ChoiceList(QAbstractListModel):
    """Families with measured models come first; below a base is what was made from it.

    Signals:
        chosen_changed: Other models are chosen now.
        toggled: A person chose one or let one go.
        too_many: One more was wanted than can be compared at once.
    """

    chosen_changed = Signal()
    toggled = Signal()
    too_many = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._all: list[_Row] = []
        self._rows: list[_Row] = []
        self._chosen: set[str] = set()
        self._search = ""

    @property
    def chosen(self) -> tuple[str, ...]:
        """The ids of the chosen models, in the order of the list."""
        return tuple(row.record.id for row in self._all if row.record.id in self._chosen)

    @property
    def measured(self) -> int:
        """How many models have a card, whether or not they are searched away."""
        return sum(row.card is not None for row in self._all)

    def set_models(self, records: Sequence[ModelRecord], cards: Mapping[str, Card]) -> None:
        """Show these models.

        Args:
            cards: By the content hash of their model. An adapter is listed only where it has one.
        """

        def card_of(record: ModelRecord) -> Card | None:
            return cards.get(record.sha256) if record.sha256 is not None else None

        listed = [each for each in records if each.format != "adapter" or card_of(each) is not None]
        branches = sorted(tree(listed), key=lambda branch: not _any_measured(branch, cards))
        self.beginResetModel()
        self._all = [_Row(row.record, row.depth, card_of(row.record)) for row in rows(branches)]
        self._filter()
        self.endResetModel()
        measured = {row.record.id for row in self._all if row.card is not None}
        if not self._chosen <= measured:
            self._chosen &= measured
            self.chosen_changed.emit()

    def choose(self, ids: Collection[str]) -> None:
        """Choose these models and no others, as many as can be compared at once."""
        able = [row.record.id for row in self._all if row.card is not None and row.record.id in ids]
        if set(able[:MOST]) != self._chosen:
            self._chosen = set(able[:MOST])
            self._tell()

    def toggle(self, row: int) -> bool:
        """Choose a measured model or let it go; false where it has no card."""
        if not 0 <= row < len(self._rows) or self._rows[row].card is None:
            return False
        id = self._rows[row].record.id
        if id not in self._chosen and len(self._chosen) >= MOST:
            self.too_many.emit()
            return True
        self._chosen ^= {id}
        self.toggled.emit()
        self._tell()
        return True

    def search(self, text: str) -> None:
        """Show only the models that have all words in their name or type."""
        self.beginResetModel()
        self._search = text
        self._filter()
        self.endResetModel()

    def record(self, row: int) -> ModelRecord | None:
        return self._rows[row].record if 0 <= row < len(self._rows) else None

    def is_measured(self, row: int) -> bool:
        return 0 <= row < len(self._rows) and self._rows[row].card is not None

    def row_of(self, id: str) -> int:
        return next((place for place, row in enumerate(self._rows) if row.record.id == id), -1)

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        return 0 if parent.isValid() else len(self._rows)

    def flags(self, index: _Index) -> Qt.ItemFlag:
        plain = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        return plain | Qt.ItemFlag.ItemIsUserCheckable if self.is_measured(index.row()) else plain

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not 0 <= index.row() < len(self._rows):
            return None
        row = self._rows[index.row()]
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return row.record.name
            case Qt.ItemDataRole.CheckStateRole if row.card is not None:
                on = row.record.id in self._chosen
                return Qt.CheckState.Checked if on else Qt.CheckState.Unchecked
            case Qt.ItemDataRole.ToolTipRole:
                return f"{row.record.name}\n{_second_line(row)}"
            case Qt.ItemDataRole.AccessibleTextRole:
                key = "Space chooses it" if row.card is not None else "Enter measures it"
                return f"{row.record.name}, {_second_line(row)}, {key}"
            case Role.RECORD:
                return row.record
            case Role.DEPTH:
                return 0 if self._search else row.depth
            case Role.SECOND_LINE:
                return _second_line(row)
            case Role.MEASURED:
                return row.card is not None
        return None

    def _filter(self) -> None:
        words = self._search.casefold().split()
        self._rows = [
            row
            for row in self._all
            if all(word in f"{row.record.name} {row.record.quantization}".casefold() for word in words)
        ]

    def _tell(self) -> None:
        if self._rows:
            self.dataChanged.emit(self.index(0), self.index(len(self._rows) - 1))
        self.chosen_changed.emit()


def _any_measured(branch: Branch, cards: Mapping[str, Card]) -> bool:
    return any(row.record.sha256 in cards for row in rows([branch]))


def _second_line(row: _Row) -> str:
    parts = [row.record.quantization, show.bytes(row.record.size_bytes)]
    if row.card is not None:
        parts.append(f"measured {_day(row.card.conditions.made_at)}".strip())
    elif row.record.sha256 is None:
        parts.append("being hashed")
    else:
        parts.append("not measured")
    return " · ".join(part for part in parts if part)


def _day(moment: float) -> str:
    try:
        return show.date(moment)
    except (ValueError, OverflowError, OSError):
        # A card from elsewhere may name any number.
        return ""
