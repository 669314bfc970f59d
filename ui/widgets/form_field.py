"""One field of a form: its title, its input, its help, and what is wrong with its value."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QLineEdit, QToolButton, QVBoxLayout, QWidget

from ui import format
from ui.widgets.badge import Badge
from ui.widgets.form_checks import ChecksInput
from ui.widgets.form_choice import ChoiceTable
from ui.widgets.form_inputs import (
    INT_LIMIT,
    CalmComboBox,
    CalmDoubleSpinBox,
    CalmSpinBox,
    OptionalInput,
    Switch,
)
from ui.widgets.form_paths import PathInput, PathsInput
from ui.widgets.form_rows import RowsInput
from workbench.params import Choice, FieldSpec, allowed_text

#: Above this many choices a combo box hides more than it shows.
MANY_CHOICES = 8

_NUMBER_WIDTH = 180


class FormField(QWidget):
    """One parameter.

    Signals:
        edited: Its value changed; carries its name.
    """

    edited = Signal(str)

    def __init__(self, spec: FieldSpec, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.spec = spec
        self.input = _input_for(spec)
        self._optional: OptionalInput | None = None
        shown: QWidget = self.input
        if spec.optional and spec.kind in ("int", "float", "bool"):
            self._optional = shown = OptionalInput(self.input, spec.title)
            self._optional.toggled.connect(self._emit)
        self._title = QLabel(spec.title + (f" ({spec.unit})" if spec.unit and not _shows_unit(spec) else ""))
        self._title.setProperty("role", "body")
        self._title.setBuddy(shown)
        self._default: Any = spec.default
        self._reason = Badge("", "accent", self)
        self.reset_button = _reset_button(spec)
        self.reset_button.clicked.connect(self.reset)
        self._help = _caption(spec.help)
        self._problem = _caption("")
        self._problem.setProperty("tone", "bad")
        self._lay_out(shown)
        self._describe()
        self._connect()
        if self._optional is not None:
            self._optional.set_set(False)
            self._optional._follow(False)
        self.reset()
        self.show_problem("")

    def value(self) -> Any:
        """The value as `workbench.params.validate` takes it; None for one that is not set."""
        if self._optional is not None and not self._optional.is_set():
            return None
        match self.input:
            case CalmSpinBox() | CalmDoubleSpinBox():
                return self.input.value()
            case QCheckBox():
                return self.input.isChecked()
            case CalmComboBox():
                return self.input.currentData()
            case ChoiceTable() | PathInput():
                return self.input.value()
            case RowsInput() if self.spec.kind == "mapping":
                return self.input.pairs() or (None if self.spec.optional else {})
            case RowsInput() | PathsInput() | ChecksInput():
                return self.input.values() or (None if self.spec.optional else [])
            case QLineEdit():
                text = self.input.text()
                return None if not text and (self.spec.optional or self.spec.required) else text
        raise TypeError(f"{self.spec.name} has no input that can be read")

    def set_value(self, value: Any) -> None:
        if self._optional is not None:
            self._optional.set_set(value is not None)
            if value is None:
                return
        match self.input:
            case CalmSpinBox():
                self.input.setValue(int(value if value is not None else _least(self.spec)))
            case CalmDoubleSpinBox():
                self.input.setValue(float(value if value is not None else _least(self.spec)))
            case QCheckBox():
                self.input.setChecked(bool(value))
            case CalmComboBox():
                self.input.setCurrentIndex(self.input.findData(value))
            case ChoiceTable() | PathInput():
                self.input.set_value(value)
            case RowsInput() if self.spec.kind == "mapping":
                self.input.set_pairs(dict(value or {}))
            case RowsInput() | PathsInput() | ChecksInput():
                self.input.set_values(list(value or ()))
            case QLineEdit():
                self.input.setText("" if value is None else str(value))

    def reset(self) -> None:
        """Back to the default."""
        self.set_value(self._default)

    def suggest(self, value: Any, reason: str) -> None:
        """Take a value as the default from now on, with the reason for it; a value set by hand stays."""
        untouched = self.is_default()
        self._default = value
        self.reset_button.setToolTip(f"Back to the good default: {_told(value)}")
        if untouched:
            self.reset()
        self.show_reason(reason)

    def show_reason(self, reason: str) -> None:
        """Say why the default is what it is: on hover, and to screen readers; empty for no reason."""
        self._reason.setToolTip(reason)
        self._reason.setAccessibleName(f"Good default: {reason}" if reason else "")
        self.input.setToolTip(reason)
        self.show_problem(self._problem.text())

    def is_default(self) -> bool:
        default: Any = self._default
        value = self.value()
        if self.spec.kind in ("int", "float") and default is None and not self.spec.optional:
            return True
        if self.spec.kind == "float" and value is not None and default is not None:
            # A spin box keeps ten places.
            return math.isclose(value, default, rel_tol=1e-6, abs_tol=1e-10)
        if self.spec.kind in ("list", "paths"):
            return list(value or ()) == list(default or ())
        if self.spec.kind in ("mapping", "text"):
            return bool((value or None) == (default or None))
        return bool(value == default)

    def problem(self) -> str:
        """What the input itself knows to be wrong, before the value is checked as a parameter."""
        return self.input.problem() if isinstance(self.input, PathInput | PathsInput | RowsInput) else ""

    def show_problem(self, text: str) -> None:
        self._problem.setText(text)
        self._problem.setVisible(bool(text))
        self.input.setProperty("invalid", bool(text))
        self.input.style().unpolish(self.input)
        self.input.style().polish(self.input)
        self._describe()
        kept = self.is_default()
        self.reset_button.setVisible(not kept)
        self._reason.setText("good default" if kept and self._reason.toolTip() else "")

    def focus(self) -> None:
        self.input.setFocus(Qt.FocusReason.OtherFocusReason)

    def annotate(self, annotation: Callable[[FieldSpec, Choice], str] | None) -> None:
        if not isinstance(self.input, ChoiceTable):
            return
        self.input.annotate(None if annotation is None else lambda choice: annotation(self.spec, choice))

    def offer(self, files: Sequence[tuple[str, Path]]) -> None:
        """Offer files for a path, each by what it is called."""
        if isinstance(self.input, PathInput):
            self.input.offer(files)

    def _emit(self) -> None:
        self.edited.emit(self.spec.name)

    def _lay_out(self, shown: QWidget) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(self._title)
        head.addWidget(self._reason)
        head.addStretch(1)
        head.addWidget(self.reset_button)
        if isinstance(self.input, Switch) and self._optional is None:
            head.insertWidget(0, shown)
            layout.addLayout(head)
        elif isinstance(self.input, CalmSpinBox | CalmDoubleSpinBox):
            layout.addLayout(head)
            row = QHBoxLayout()
            row.setSpacing(12)
            self.input.setFixedWidth(_NUMBER_WIDTH)
            row.addWidget(shown)
            bounds = _caption(_range_text(self.spec))
            row.addWidget(bounds)
            row.addStretch(1)
            layout.addLayout(row)
        else:
            layout.addLayout(head)
            layout.addWidget(shown)
        layout.addWidget(self._problem)
        layout.addWidget(self._help)
        self._help.setVisible(bool(self.spec.help))

    def _describe(self) -> None:
        """Screen readers hear the title, then the problem, the help, what is allowed and why it is so."""
        allowed = (
            "" if isinstance(self.input, ChoiceTable | ChecksInput) else f"Takes {allowed_text(self.spec)}."
        )
        parts = [self._problem.text(), self.spec.help, allowed, self._reason.accessibleName()]
        description = " ".join(part for part in parts if part)
        self.input.setAccessibleName(self.spec.title)
        self.input.setAccessibleDescription(description)
        focus = self.input.focusProxy()
        if focus is not None:
            if not focus.accessibleName():
                focus.setAccessibleName(self.spec.title)
            focus.setAccessibleDescription(description)

    def _connect(self) -> None:
        match self.input:
            case CalmSpinBox() | CalmDoubleSpinBox():
                self.input.valueChanged.connect(self._emit)
            case QCheckBox():
                self.input.toggled.connect(self._emit)
            case CalmComboBox():
                self.input.currentIndexChanged.connect(self._emit)
            case QLineEdit():
                self.input.textChanged.connect(self._emit)
            case ChoiceTable() | PathInput() | PathsInput() | RowsInput() | ChecksInput():
                self.input.edited.connect(self._emit)


def _input_for(spec: FieldSpec) -> QWidget:
    match spec.kind:
        case "int":
            return _spin(spec)
        case "float":
            return _double_spin(spec)
        case "bool":
            return Switch()
        case "choice":
            return _choice(spec)
        case "path":
            return PathInput(spec.title, spec.suffixes)
        case "paths":
            return PathsInput(spec.title, spec.suffixes)
        case "mapping":
            return RowsInput(spec.title, pair=True)
        case "list" if spec.offered:
            return ChecksInput(spec.title, spec.choices, f"No plugin offers a {spec.offered}.")
        case "list":
            return RowsInput(spec.title, pair=False)
        case "text":
            if spec.choices or spec.offered:
                return _choice(spec)
            line = QLineEdit()
            line.setPlaceholderText("Not set" if spec.optional else "")
            line.setClearButtonEnabled(spec.optional)
            return line


def _spin(spec: FieldSpec) -> CalmSpinBox:
    box = CalmSpinBox()
    low = -INT_LIMIT if spec.ge is None else max(int(spec.ge), -INT_LIMIT)
    high = INT_LIMIT if spec.le is None else min(int(spec.le), INT_LIMIT)
    box.setRange(low, high)
    box.setSingleStep(int(spec.step or 1))
    box.setSuffix(f" {spec.unit}" if spec.unit else "")
    return box


def _double_spin(spec: FieldSpec) -> CalmDoubleSpinBox:
    box = CalmDoubleSpinBox()
    box.setRange(-1e18 if spec.ge is None else spec.ge, 1e18 if spec.le is None else spec.le)
    if spec.step:
        box.setSingleStep(spec.step)
    else:
        box.setStepType(CalmDoubleSpinBox.StepType.AdaptiveDecimalStepType)
    box.setSuffix(f" {spec.unit}" if spec.unit else "")
    return box


def _choice(spec: FieldSpec) -> QWidget:
    told = any(choice.facts or choice.group for choice in spec.choices)
    if len(spec.choices) > MANY_CHOICES or (told and len(spec.choices) > 4):
        return ChoiceTable(spec.title, spec.choices)
    combo = CalmComboBox()
    if spec.optional:
        combo.addItem("Not set", None)
    for choice in spec.choices:
        title = choice.title or choice.value
        combo.addItem(f"{title} {spec.unit}".rstrip() if not choice.title else title, choice.value)
        combo.setItemData(combo.count() - 1, choice.help, Qt.ItemDataRole.ToolTipRole)
    return combo


def _least(spec: FieldSpec) -> float:
    """What a number begins with that has no default: nought, or the allowed value next to it."""
    low = max(0.0, spec.ge) if spec.ge is not None else 0.0
    return low if spec.le is None else min(low, spec.le)


def _shows_unit(spec: FieldSpec) -> bool:
    return spec.kind in ("int", "float", "choice")


def _range_text(spec: FieldSpec) -> str:
    if spec.ge is not None and spec.le is not None:
        return f"{_bound(spec.ge)} to {_bound(spec.le)}"
    if spec.ge is not None:
        return f"{_bound(spec.ge)} or more"
    return f"{_bound(spec.le)} or less" if spec.le is not None else ""


def _bound(value: float) -> str:
    return format.grouped(int(value)) if abs(value) >= 1000 else f"{value:g}"


def _reset_button(spec: FieldSpec) -> QToolButton:
    button = QToolButton()
    button.setText("Reset")
    button.setAutoRaise(True)
    button.setToolTip(f"Back to the default: {_told(spec.default)}")
    button.setAccessibleName(f"Reset {spec.title} to its default")
    # Its place is kept while it is hidden, so that a row does not jump when the value changes.
    policy = button.sizePolicy()
    policy.setRetainSizeWhenHidden(True)
    button.setSizePolicy(policy)
    return button


def _told(default: Any) -> str:
    return "not set" if default in (None, "", {}, []) else str(default)


def _caption(text: str) -> QLabel:
    label = QLabel(text)
    label.setProperty("role", "caption")
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    return label
