"""One step of a swept recipe: its operation, and the parameters of it that vary."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QMenu, QToolButton, QVBoxLayout, QWidget

from ui.panels.sweeps.vary_row import VaryRow
from ui.widgets.card import label
from ui.widgets.elided_label import ElidedLabel
from workbench.catalogue_entry import OperationEntry
from workbench.cluster.sweep_space import read_dimension
from workbench.errors import WorkbenchError

#: What a list of values between commas can't say.
_UNSAID = ("path", "paths", "mapping", "list")


class StepRows(QWidget):
    """What the operation names as worth searching is offered at once; every other parameter can be added.

    Signals:
        edited: What varies is another now.
        removed: A person wants the step out of the recipe.
    """

    edited = Signal()
    removed = Signal(object)

    def __init__(
        self,
        entry: OperationEntry,
        values: Mapping[str, Any],
        *,
        is_first: bool,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.entry = entry
        self.rows: list[VaryRow] = []
        self._values = values
        self._is_first = is_first
        self._menu = QMenu(self)
        self.add_button = _menu_button("Add a parameter", self._menu, self)
        self.add_button.setAccessibleName(f"Add a parameter of {entry.title}")
        self._menu.aboutToShow.connect(self._fill_menu)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(8)
        self._column.addLayout(self._head())
        for spec in entry.fields:
            if spec.search is not None:
                self._add(spec.name, on=is_first and not self.rows)
        self._column.addWidget(self.add_button, 0, Qt.AlignmentFlag.AlignLeft)

    def said(self) -> tuple[str, ...]:
        """What varies, as the command line would say it."""
        return tuple(text for row in self.rows if (text := row.said()))

    def check(self) -> VaryRow | None:
        """Say at each row what is wrong with it; the first such row, None where there is none."""
        wrong = None
        for row in self.rows:
            problem = self._problem(row)
            row.show_problem(problem)
            if problem and wrong is None:
                wrong = row
        return wrong

    def draws(self) -> bool:
        """Whether a range is among what varies."""
        return any(row.is_range for row in self.rows)

    def add(self, name: str) -> VaryRow:
        """Let one more parameter vary."""
        row = next((each for each in self.rows if each.spec.name == name), None) or self._add(name, on=True)
        row.check.setChecked(True)
        row.focus()
        self.edited.emit()
        return row

    def addable(self) -> list[str]:
        """The parameters that have no row yet."""
        shown = {row.spec.name for row in self.rows}
        return [
            each.name for each in self.entry.fields if each.name not in shown and each.kind not in _UNSAID
        ]

    def _add(self, name: str, *, on: bool) -> VaryRow:
        spec = next(each for each in self.entry.fields if each.name == name)
        said = name if self._is_first else f"{self.entry.name}.{name}"
        row = VaryRow(spec, said, self._values.get(name, spec.default), on=on, parent=self)
        row.edited.connect(self.edited)
        self.rows.append(row)
        self._column.insertWidget(len(self.rows), row)
        return row

    def _problem(self, row: VaryRow) -> str:
        text = row.said()
        if not text or (missing := row.missing()):
            return missing if text else ""
        try:
            read_dimension(text, {self.entry.name: self.entry.fields})
        except WorkbenchError as error:
            return str(error)
        return ""

    def _fill_menu(self) -> None:
        self._menu.clear()
        titles = {each.name: each.title for each in self.entry.fields}
        for name in self.addable():
            self._menu.addAction(titles[name], lambda name=name: self.add(name))
        if self._menu.isEmpty():
            self._menu.addAction("All of them are listed").setEnabled(False)

    def _head(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(8)
        title = ElidedLabel(self.entry.title if self._is_first else f"then {self.entry.title}", parent=self)
        title.setProperty("role", "body")
        row.addWidget(title, 1)
        if not self._is_first:
            remove = QToolButton(self)
            remove.setText("×")
            remove.setToolTip("Take this step out")
            remove.setAccessibleName(f"Take the step {self.entry.title} out")
            remove.clicked.connect(lambda: self.removed.emit(self))
            row.addWidget(remove)
        else:
            hint = label("What isn’t ticked stays as the form has it.", "caption", self)
            row.addWidget(hint)
        return row


def _menu_button(text: str, menu: QMenu, parent: QWidget) -> QToolButton:
    button = QToolButton(parent)
    button.setText(text)
    button.setProperty("variant", "quiet")
    button.setMenu(menu)
    button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
    button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    return button
