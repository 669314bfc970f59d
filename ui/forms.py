"""Forms made from an operation's fields, with the rules and the words of `workbench.params`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QLabel, QToolButton, QVBoxLayout, QWidget

from ui.widgets.form_field import FormField
from workbench.errors import ParameterError
from workbench.params import Choice, FieldSpec, validate

#: What a page knows of one choice of one field, for example its estimated size.
AnnotateField = Callable[[FieldSpec, Choice], str]


class ParamsForm(QWidget):
    """A form of one operation's parameters.

    Fields whose `shown_when` does not hold are hidden and left at their defaults; advanced ones are
    folded. A wrong value is explained under its field as soon as that field was touched.

    Signals:
        changed: A value changed, by a person or by `set_values`.
    """

    changed = Signal()

    def __init__(self, fields: tuple[FieldSpec, ...], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._specs = fields
        self._fields = {spec.name: FormField(spec) for spec in fields}
        self._quiet = False
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(20)
        if not fields:
            nothing = QLabel("This operation has nothing to set.")
            nothing.setProperty("role", "second")
            layout.addWidget(nothing)
        for spec in fields:
            if not spec.advanced:
                layout.addWidget(self._fields[spec.name])
        self.advanced_toggle = _advanced_toggle()
        self._advanced = QWidget()
        folded = QVBoxLayout(self._advanced)
        folded.setContentsMargins(0, 0, 0, 0)
        folded.setSpacing(20)
        for spec in fields:
            if spec.advanced:
                folded.addWidget(self._fields[spec.name])
        layout.addWidget(self.advanced_toggle, 0, Qt.AlignmentFlag.AlignLeft)
        layout.addWidget(self._advanced)
        layout.addStretch(1)
        self.advanced_toggle.toggled.connect(self._fold)
        for field in self._fields.values():
            field.edited.connect(self._edited)
        self._fold(False)
        self._show_dependent()

    def field(self, name: str) -> FormField:
        return self._fields[name]

    def values(self) -> dict[str, Any]:
        """The values of the fields that are shown; what is hidden keeps its default elsewhere."""
        everything = self._everything()
        return {spec.name: everything[spec.name] for spec in self._specs if spec.shown(everything)}

    def set_values(self, values: Mapping[str, Any]) -> None:
        """Set the named fields; others stay."""
        with self._quietly():
            for name, value in values.items():
                self._fields[name].set_value(value)

    def suggest(self, defaults: Iterable[tuple[str, Any, str]]) -> None:
        """Give fields better defaults, each with its reason; what was set by hand stays as it is.

        Args:
            defaults: Name, value and reason; names that the form does not have are passed over.
        """
        with self._quietly():
            for name, value, reason in defaults:
                if name in self._fields:
                    self._fields[name].suggest(value, reason)

    def reset(self) -> None:
        """Put every field back to its default."""
        with self._quietly():
            for field in self._fields.values():
                field.reset()

    def is_default(self) -> bool:
        return all(field.is_default() for field in self._fields.values())

    def problems(self) -> dict[str, str]:
        """What is wrong, by field name, in words; empty where the form can be used."""
        return {name: text for name in self.values() if (text := self._problem(name))}

    def check(self) -> bool:
        """Explain every problem at its field and go to the first one; true where there is none."""
        problems = self.problems()
        for name in self._fields:
            self._fields[name].show_problem(problems.get(name, ""))
        if problems:
            first = self._fields[next(iter(problems))]
            if first.spec.advanced:
                self.advanced_toggle.setChecked(True)
            first.focus()
        return not problems

    def checked_values(self) -> dict[str, Any]:
        """All parameters with defaults filled in.

        Raises:
            ParameterError: The first value that can't be used.
        """
        for name, text in self.problems().items():
            raise ParameterError(name, text)
        return validate(self._specs, self.values())

    def annotate(self, annotation: AnnotateField | None) -> None:
        """Show what the page knows of each choice (an estimated size) beside it."""
        for field in self._fields.values():
            field.annotate(annotation)

    def offer(self, name: str, files: Sequence[tuple[str, Path]]) -> None:
        """Offer files for the path of this name, each by what it is called."""
        self._fields[name].offer(files)

    def _everything(self) -> dict[str, Any]:
        return {name: field.value() for name, field in self._fields.items()}

    def _problem(self, name: str) -> str:
        field = self._fields[name]
        own = field.problem()
        if own:
            return own
        value = field.value()
        if value is None and not field.spec.optional:
            given: dict[str, Any] = {}
        else:
            given = {name: value}
        try:
            validate((field.spec,), given)
        except ParameterError as error:
            return error.message
        return ""

    def _edited(self, name: str) -> None:
        if self._quiet:
            return
        self._fields[name].show_problem(self._problem(name))
        self._show_dependent()
        self.changed.emit()

    def _show_dependent(self) -> None:
        everything = self._everything()
        for spec in self._specs:
            if spec.shown_when:
                self._fields[spec.name].setVisible(spec.shown(everything))
        advanced = [spec for spec in self._specs if spec.advanced and spec.shown(everything)]
        self.advanced_toggle.setVisible(bool(advanced))
        changed = sum(not self._fields[spec.name].is_default() for spec in advanced)
        note = f" · {changed} changed" if changed else ""
        self.advanced_toggle.setText(f"Advanced ({len(advanced)}){note}")

    @contextmanager
    def _quietly(self) -> Iterator[None]:
        """Many changes, one signal."""
        self._quiet = True
        try:
            yield
        finally:
            self._quiet = False
        for field in self._fields.values():
            field.show_problem("")
        self._show_dependent()
        self.changed.emit()

    def _fold(self, open_: bool) -> None:
        self._advanced.setVisible(open_)
        arrow = Qt.ArrowType.DownArrow if open_ else Qt.ArrowType.RightArrow
        self.advanced_toggle.setArrowType(arrow)


def _advanced_toggle() -> QToolButton:
    toggle = QToolButton()
    toggle.setCheckable(True)
    toggle.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
    toggle.setAccessibleName("Advanced parameters")
    toggle.setAccessibleDescription("Shows parameters that seldom need a change")
    toggle.setProperty("variant", "quiet")
    toggle.setAutoRaise(True)
    return toggle
