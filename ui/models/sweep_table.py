"""The table of a sweep's trials, sorted by what was varied or by what came of it."""

from __future__ import annotations

import math
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from ui import format as show
from ui.models.sweep_axes import value_text
from workbench.cluster.sweep_file import Plan, Sweep, Trial

_Index = QModelIndex | QPersistentModelIndex

#: Of a finished trial, where any has them: name, title, and how it is written.
_FIGURES = {
    "seconds": ("Time", show.duration),
    "size_bytes": ("Size", show.bytes),
    "mean_kld": ("Mean KLD", show.number),
    "ppl_ratio": ("Perplexity ratio", show.number),
    "same_top": ("Same top", lambda share: show.percent(share, 1)),
    "tokens_per_s": ("Tokens/s", show.number),
}
_STATES = {
    "waiting": "waits",
    "running": "at work",
    "done": "done",
    "failed": "failed",
    "stopped": "ended early",
}


class SweepTable(QAbstractTableModel):
    """A row for each trial; the best first unless a person sorts it otherwise."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._plan: Plan | None = None
        self._trials: list[Trial] = []
        self._columns: list[tuple[str, str]] = []
        self._order: list[int] = []
        self._sorted_by: tuple[int, Qt.SortOrder] | None = None

    def show_sweep(self, sweep: Sweep) -> None:
        """Show a sweep as it is now; the order of a person stays."""
        columns = _columns(sweep)
        same = sweep.plan is self._plan and columns == self._columns
        if not same:
            self.beginResetModel()
        self._plan, self._columns = sweep.plan, columns
        self._trials = list(sweep.trials)
        if not same:
            self._sort()
            self.endResetModel()
            return
        self._reorder()

    def trial(self, row: int) -> Trial | None:
        """The trial of a row."""
        return self._trials[self._order[row]] if 0 <= row < len(self._order) else None

    def row_of(self, number: int) -> int:
        """The row of a trial; -1 where it has none."""
        return self._order.index(number) if number in self._order else -1

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        return 0 if parent.isValid() else len(self._order)

    def columnCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        return 0 if parent.isValid() else len(self._columns)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        if orientation is not Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self._columns[section][1]
        return self._alignment(section) if role == Qt.ItemDataRole.TextAlignmentRole else None

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        trial = self.trial(index.row())
        if trial is None:
            return None
        key = self._columns[index.column()][0]
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(trial, key)
        if role == Qt.ItemDataRole.ToolTipRole:
            return trial.reason or None
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return self._alignment(index.column())
        return None

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        self._sorted_by = (column, order) if column >= 0 else None
        self._reorder()

    def _reorder(self) -> None:
        """Sort anew; what is chosen stays the same trial."""
        self.layoutAboutToBeChanged.emit()
        before = self.persistentIndexList()
        numbers = [self._order[each.row()] for each in before]
        self._sort()
        rows = {number: row for row, number in enumerate(self._order)}
        self.changePersistentIndexList(
            before,
            [self.index(rows[number], each.column()) for number, each in zip(numbers, before, strict=True)],
        )
        self.layoutChanged.emit()

    def _alignment(self, column: int) -> int:
        """Numbers stand on the right, below their title."""
        key = self._columns[column][0]
        values = [self._value(each, key) for each in self._trials]
        numbers = (isinstance(each, int | float | None) and not isinstance(each, bool) for each in values)
        right = key == "value" or all(numbers)
        side = Qt.AlignmentFlag.AlignRight if right and key != "number" else Qt.AlignmentFlag.AlignLeft
        return int(side | Qt.AlignmentFlag.AlignVCenter)

    def _sort(self) -> None:
        numbers = range(len(self._trials))
        if self._sorted_by is None or self._sorted_by[0] >= len(self._columns):
            down = self._plan is not None and self._plan.mode == "max"
            key = "value"
        else:
            key, down = (
                self._columns[self._sorted_by[0]][0],
                self._sorted_by[1] is not Qt.SortOrder.AscendingOrder,
            )
        known = [at for at in numbers if self._value(self._trials[at], key) is not None]
        values = {at: self._value(self._trials[at], key) for at in known}
        numeric = all(isinstance(each, int | float) for each in values.values())
        known.sort(key=lambda at: values[at] if numeric else str(values[at]), reverse=down)
        # What is not known stands last, whichever way.
        self._order = [*known, *(at for at in numbers if at not in values)]

    def _value(self, trial: Trial, key: str) -> Any:
        if key.startswith("=") and self._plan is not None:
            return self._plan.values[trial.number].get(key[1:])
        found = trial.figures.get(key[1:]) if key.startswith("+") else getattr(trial, key)
        return None if isinstance(found, float) and not math.isfinite(found) else found

    def _text(self, trial: Trial, key: str) -> str:
        value = self._value(trial, key)
        if key == "number":
            return str(trial.number + 1)
        if key == "state":
            return _STATES[trial.state]
        if value is None:
            return "—"
        if key.startswith("+"):
            return _FIGURES[key[1:]][1](value)
        return f"{value:.5g}" if key == "value" else value_text(value)


def _columns(sweep: Sweep) -> list[tuple[str, str]]:
    """Keys and titles; `=` marks what is varied, `+` a figure."""
    if sweep.plan is None:
        return []
    known = {name for each in sweep.trials for name in each.figures} - {sweep.plan.metric}
    return [
        ("number", "Trial"),
        *((f"={each.name}", each.name) for each in sweep.plan.dimensions),
        ("value", sweep.plan.metric),
        *(
            (f"+{name}", _FIGURES[name][0])
            for name in _FIGURES
            if name in known and name != sweep.plan.metric
        ),
        ("state", "State"),
    ]
