"""Answers to the same prompts while a model learns: the first, some on the way, and the newest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt
from PySide6.QtGui import QColor, QFont, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from ui import format
from ui.panels.finetune.clamped_text import ClampedText
from ui.theme import Theme, interface_font
from workbench.jobs.events import Sample

_Index = QModelIndex | QPersistentModelIndex
_PROMPT_WIDTH, _EXPECTED_WIDTH, _ANSWER_WIDTH = 190, 130, 150


class SamplesModel(QAbstractTableModel):
    """One row for each prompt; columns: prompt, what would be right, and answers at some steps."""

    def __init__(self, theme: Theme, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._answers: dict[tuple[str, int], Sample] = {}
        self._prompts: list[str] = []
        self._expected: dict[str, str] = {}
        self._all_steps: list[int] = []
        self._steps: list[int] = []
        self._room = 2

    @property
    def has_expected(self) -> bool:
        return any(self._expected.values())

    def set_samples(self, samples: Sequence[Sample]) -> None:
        """Take all answers so far."""
        if len(samples) == len(self._answers) and all(
            self._answers.get((each.prompt, each.step)) == each for each in samples
        ):
            return
        self.beginResetModel()
        self._answers = {(each.prompt, each.step): each for each in samples}
        self._prompts = list(dict.fromkeys(each.prompt for each in samples))
        self._expected = {each.prompt: each.expected for each in samples}
        self._all_steps = sorted({each.step for each in samples})
        self._steps = spread(self._all_steps, self._room)
        self.endResetModel()

    def set_room(self, columns: int) -> None:
        """Show answers of at most so many steps."""
        steps = spread(self._all_steps, columns)
        self._room = columns
        if steps != self._steps:
            self.beginResetModel()
            self._steps = steps
            self.endResetModel()

    def answer(self, row: int, column: int) -> Sample | None:
        place = column - 2
        if not 0 <= place < len(self._steps):
            return None
        return self._answers.get((self._prompts[row], self._steps[place]))

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        return 0 if parent.isValid() else len(self._prompts)

    def columnCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else 2 + len(self._steps)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        if role != Qt.ItemDataRole.DisplayRole:
            return None
        if section < 2:
            return ("Prompt", "Expected")[section]
        step = self._steps[section - 2]
        text = "Before" if step == 0 else f"Step {format.grouped(step)}"
        return f"{text} · newest" if section == 1 + len(self._steps) and len(self._steps) > 1 else text

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        text, right = self._cell(index.row(), index.column())
        tokens = self._theme.tokens
        if role == Qt.ItemDataRole.DisplayRole:
            return f"✓ {text}" if right else text
        if role == Qt.ItemDataRole.ToolTipRole:
            return text
        if role == Qt.ItemDataRole.AccessibleTextRole:
            title = self.headerData(index.column(), Qt.Orientation.Horizontal)
            return f"{title}: {text}" + (", as expected" if right else "")
        if role == Qt.ItemDataRole.ForegroundRole:
            return QColor(tokens.good if right else tokens.second if index.column() == 0 else tokens.text)
        if role == Qt.ItemDataRole.FontRole and right:
            font = interface_font()
            font.setWeight(QFont.Weight.DemiBold)
            return font
        return None

    def _cell(self, row: int, column: int) -> tuple[str, bool]:
        """The text of a cell, and whether it is an answer as it was expected."""
        prompt = self._prompts[row]
        if column == 0:
            return prompt.strip(), False
        expected = self._expected[prompt].strip()
        if column == 1:
            return expected, False
        found = self.answer(row, column)
        text = found.text.strip() if found is not None else ""
        return text, bool(expected) and text == expected


class SamplesTable(QTableView):
    """As many steps as there is room for, the first and the newest always."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.samples = SamplesModel(theme, self)
        self.setModel(self.samples)
        self.setAccessibleName("Answers to the same prompts")
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setShowGrid(False)
        self.setTabKeyNavigation(False)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.verticalHeader().hide()
        delegate = ClampedText(theme, self)
        self.setItemDelegate(delegate)
        self._row = delegate.row_height(self.font())
        self.verticalHeader().setDefaultSectionSize(self._row)
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setSectionsClickable(False)
        self.samples.modelReset.connect(self._arrange)
        theme.changed.connect(self.viewport().update)

    def show_samples(self, samples: Sequence[Sample]) -> None:
        self.samples.set_samples(samples)

    def wanted_height(self) -> int:
        """What all rows take."""
        return self.horizontalHeader().sizeHint().height() + self.samples.rowCount() * self._row + 6

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        left = self.viewport().width() - _PROMPT_WIDTH - (_EXPECTED_WIDTH if self.samples.has_expected else 0)
        self.samples.set_room(max(left // _ANSWER_WIDTH, 2))

    def _arrange(self) -> None:
        header = self.horizontalHeader()
        self.setColumnHidden(1, not self.samples.has_expected)
        for column, width in ((0, _PROMPT_WIDTH), (1, _EXPECTED_WIDTH)):
            if column < self.samples.columnCount():
                header.setSectionResizeMode(column, QHeaderView.ResizeMode.Fixed)
                self.setColumnWidth(column, width)
        for column in range(2, self.samples.columnCount()):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Stretch)


def spread(steps: Sequence[int], most: int) -> list[int]:
    """At most so many of some steps, evenly apart, with the first and the last.

    >>> spread([0, 10, 20, 30, 40, 50], 3)
    [0, 20, 50]
    """
    if len(steps) <= most:
        return list(steps)
    places = [round(place * (len(steps) - 1) / (most - 1)) for place in range(most)]
    return [steps[place] for place in places]
