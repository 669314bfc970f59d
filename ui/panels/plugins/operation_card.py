"""One operation of a plugin: what it does, to what, with which parameters, and the way to it."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from ui.panels.plugins.documentation import Documentation
from ui.theme import Theme
from ui.widgets.badge import Badge
from ui.widgets.card import label
from ui.widgets.fact_grid import Fact, FactGrid
from ui.widgets.flow_layout import FlowLayout
from ui.widgets.model_title import WrappedTitle
from ui.widgets.proof_card_fold import Fold
from workbench.catalogue_entry import OperationEntry
from workbench.conditions import Condition
from workbench.model import FORMAT_TITLES
from workbench.params import FieldSpec, allowed_text

_NEEDS = {"cpu": "computes on the CPU", "gpu": "computes on a GPU", "network": "uses the network"}
_TESTS = {
    "is": "is",
    "is_not": "is not",
    "one_of": "is one of",
    "none_of": "is none of",
    "at_least": "is at least",
    "at_most": "is at most",
    "known": "is known",
    "several": "are several",
}


class OperationCard(QFrame):
    """Signals:
    open_wanted: Show the operation on the Optimize page; carries its name.
    """

    open_wanted = Signal(str)

    def __init__(
        self, theme: Theme, entry: OperationEntry, *, usable: bool, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setProperty("card", "true")
        self.entry = entry
        title = WrappedTitle(pixels=15, lines=2, parent=self)
        title.set_text(entry.title)
        self.open_button = QPushButton("Open on Optimize", self)
        self.open_button.setAccessibleName(f"Open {entry.title} on the Optimize page")
        self.open_button.setEnabled(usable)
        # What makes a model from nothing has no place on that page.
        self.open_button.setVisible(entry.input is not None)
        self.open_button.clicked.connect(lambda: self.open_wanted.emit(entry.name))
        head = QHBoxLayout()
        head.setSpacing(12)
        head.addWidget(title, 1)
        head.addWidget(self.open_button, 0, Qt.AlignmentFlag.AlignTop)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 16, 20, 16)
        column.setSpacing(10)
        column.addLayout(head)
        column.addWidget(self._badges())
        self.documentation = Documentation(theme, entry.title, entry.documentation, self)
        column.addWidget(self.documentation)
        facts = FactGrid(self)
        facts.set_facts(_facts(entry))
        column.addWidget(facts)
        for line in _conditions(entry):
            told = label(line, "second", self, wrap=True)
            told.setTextFormat(Qt.TextFormat.PlainText)
            column.addWidget(told)
        if entry.fields:
            count = len(entry.fields)
            word = "parameter" if count == 1 else "parameters"
            self.parameters = Fold(f"{count} {word}", _parameters(entry.fields), self)
            column.addWidget(self.parameters)

    def _badges(self) -> QWidget:
        entry = self.entry
        row = QWidget(self)
        flow = FlowLayout(row, spacing=6)
        for text, tone in (
            (entry.group, "accent"),
            (entry.backend, "neutral"),
            ("claims lossless" if entry.lossless else "", "good"),
            ("own environment" if entry.requires else "", "warn"),
            ("can be paused" if entry.resumable else "", "neutral"),
        ):
            if text:
                flow.addWidget(Badge(text[:60], tone, row))
        return row


def _facts(entry: OperationEntry) -> list[Fact]:
    takes = _format(entry.input) if entry.input is not None else "no model"
    makes = _format(entry.output) if entry.output is not None else "a file"
    facts = [
        Fact("Name", entry.name),
        Fact("Takes, makes", f"{takes} → {makes}"),
        Fact("Work", _NEEDS[entry.needs]),
    ]
    if entry.requires:
        facts.append(Fact("Requires", ", ".join(entry.requires)))
    return facts


def _format(name: str) -> str:
    return "any model" if name == "any" else FORMAT_TITLES[name]  # type: ignore[index]


def _conditions(entry: OperationEntry) -> list[str]:
    lines = [f"Applies where {_words(each)}." for each in entry.applies]
    lines += [f"Better where {_words(each)}." for each in entry.advised]
    if entry.before:
        lines.append(f"In a recipe before: {', '.join(entry.before)}.")
    if entry.after:
        lines.append(f"In a recipe after: {', '.join(entry.after)}.")
    return lines


def _words(condition: Condition) -> str:
    value = condition.value
    if condition.test in ("known", "several"):
        told = ""
    elif isinstance(value, list | tuple):
        told = ", ".join(map(str, value))
    else:
        told = f"{value:,}".replace(",", "\u2009") if isinstance(value, int) else str(value)
    return " ".join(part for part in (condition.name.replace("_", " "), _TESTS[condition.test], told) if part)


def _parameters(fields: tuple[FieldSpec, ...]) -> QWidget:
    table = QWidget()
    grid = QGridLayout(table)
    grid.setContentsMargins(0, 4, 0, 0)
    grid.setHorizontalSpacing(16)
    grid.setVerticalSpacing(8)
    grid.setColumnStretch(1, 1)
    for row, field in enumerate(fields):
        name = label(field.name, "body", table)
        default = "must be given" if field.required else f"default {_default(field)}"
        words = label(f"{field.help}\n{allowed_text(field)}; {default}".strip(), "caption", table, wrap=True)
        for each in (name, words):
            each.setTextFormat(Qt.TextFormat.PlainText)
            each.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        name.setMaximumWidth(220)
        grid.addWidget(name, row, 0, Qt.AlignmentFlag.AlignTop)
        grid.addWidget(words, row, 1)
    return table


def _default(field: FieldSpec) -> str:
    value = field.default
    if value in (None, "", {}, [], ()):
        return "not set"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
