"""The second step: how the model is trained, with good defaults and the reason for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QScrollArea, QVBoxLayout, QWidget

from ui.forms import ParamsForm
from ui.panels.finetune.data_choice import DATA_FIELDS
from ui.widgets.card import label
from workbench.catalogue_entry import OperationEntry
from workbench.tuning.defaults import Default

#: Wider fields than this are no easier to read.
_FORM_WIDTH = 760


class SettingsPanel(QFrame):
    """The form of an operation without what the Data panel sets.

    Signals:
        edited: A value changed.
    """

    edited = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("card", "true")
        self._entry: OperationEntry | None = None
        self._kept: dict[str, dict[str, Any]] = {}
        self._suggested: tuple[Default, ...] = ()
        self.form: ParamsForm | None = None
        self._words = label("", "second", wrap=True)
        self.back = QPushButton("Use all good defaults")
        self.back.setProperty("variant", "quiet")
        self.back.setToolTip("Put every setting back to what suits this model, this data and this machine")
        self.back.clicked.connect(self.reset)
        head = QHBoxLayout()
        head.setSpacing(12)
        head.addWidget(self._words, 1)
        head.addWidget(self.back, 0, Qt.AlignmentFlag.AlignTop)
        inner = QWidget()
        self._column = QVBoxLayout(inner)
        self._column.setContentsMargins(20, 16, 20, 18)
        self._column.setSpacing(16)
        self._column.addLayout(head)
        self._column.addStretch(1)
        self._scroll = QScrollArea()
        self._scroll.setWidgetResizable(True)
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._scroll.setWidget(inner)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(1, 1, 1, 1)
        layout.addWidget(self._scroll)
        self._say()

    @property
    def suggested(self) -> tuple[Default, ...]:
        return self._suggested

    def set_operation(self, entry: OperationEntry) -> None:
        """Show the settings of an operation; what was set before in it is there again."""
        if self._entry == entry:
            return
        if self._entry is not None and self.form is not None:
            self._kept[self._entry.name] = self.form.values()
            self.form.setParent(None)
            self.form.deleteLater()
        self._entry = entry
        fields = tuple(spec for spec in entry.fields if spec.name not in DATA_FIELDS)
        self.form = ParamsForm(fields)
        self.form.setMaximumWidth(_FORM_WIDTH)
        self.form.set_values(self._kept.get(entry.name, {}))
        self.form.changed.connect(self._changed)
        self._column.insertWidget(1, self.form)
        self.suggest(self._suggested)

    def suggest(self, defaults: Sequence[Default]) -> None:
        """Take good defaults; what was set by hand stays."""
        self._suggested = tuple(defaults)
        if self.form is not None:
            self.form.suggest((each.name, each.value, each.reason) for each in defaults)
        self._say()

    def values(self) -> dict[str, Any]:
        return self.form.values() if self.form is not None else {}

    def set_values(self, values: Mapping[str, Any]) -> None:
        """Take the settings of an earlier run; others stay."""
        if self.form is not None and self._entry is not None:
            known = {spec.name for spec in self._entry.fields} - set(DATA_FIELDS)
            self.form.set_values({name: value for name, value in values.items() if name in known})

    def reset(self) -> None:
        """Back to the good defaults."""
        if self.form is not None:
            self.form.reset()

    def by_hand(self) -> int:
        """How many settings were changed by hand."""
        if self.form is None or self._entry is None:
            return 0
        return sum(not self.form.field(name).is_default() for name in self.form.values())

    def _changed(self) -> None:
        self._say()
        self.edited.emit()

    def _say(self) -> None:
        changed = self.by_hand()
        self.back.setVisible(changed > 0)
        if not self._suggested:
            self._words.setText("Good defaults are filled in as soon as the data is known.")
        elif changed:
            count = "One setting was" if changed == 1 else f"{changed} settings were"
            self._words.setText(f"{count} changed by hand; the others suit this model, data and machine.")
        else:
            self._words.setText(
                "Everything suits this model, this data and this machine. "
                "Rest on a “good default” for its reason."
            )
