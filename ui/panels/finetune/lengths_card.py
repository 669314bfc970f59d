"""How long the examples are, with the cut-off as a line and as a number."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QWidget

from ui import format
from ui.panels.finetune.data_answer import DataAnswer
from ui.panels.finetune.histogram import LengthHistogram
from ui.panels.finetune.small_choice import SmallChoice
from ui.theme import Theme
from ui.widgets.card import Card, label
from ui.widgets.elided_label import ElidedLabel
from ui.widgets.form_inputs import CalmSpinBox
from workbench.params import FieldSpec
from workbench.tuning.defaults import Default

_LEAST = 8
_MOST = 1_000_000


class LengthsCard(Card):
    """A histogram, and what happens to what is too long for it.

    Signals:
        limit_chosen: Rows are to be cut at so many tokens.
        long_chosen: What happens to longer rows: `cut`, `skip` or `refuse`.
    """

    limit_chosen = Signal(int)
    long_chosen = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent=parent)
        self._most = _MOST
        self.histogram = LengthHistogram(theme)
        self.histogram.limit_moved.connect(self._follow)
        self.histogram.limit_chosen.connect(self.limit_chosen)
        self.limit = CalmSpinBox()
        self.limit.setRange(_LEAST, _MOST)
        self.limit.setSingleStep(64)
        self.limit.setSuffix(" tokens")
        self.limit.setFixedWidth(132)
        self.limit.setKeyboardTracking(False)
        self.limit.setAccessibleName("Longest example in tokens")
        self.limit.valueChanged.connect(self._typed)
        caption = label("Cut-off", "caption")
        caption.setBuddy(self.limit)
        self.long = SmallChoice("Longer ones")
        self.long.chosen.connect(self.long_chosen)
        self._middle = ElidedLabel("")
        self._middle.setProperty("role", "caption")
        self._middle.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(caption)
        row.addWidget(self.limit)
        row.addStretch(1)
        row.addWidget(self.long)
        head = QHBoxLayout()
        head.setSpacing(12)
        head.addWidget(label("How long they are", "section"))
        head.addWidget(self._middle, 1)
        self.column.addLayout(head)
        self.column.addWidget(self.histogram)
        self._reason = label("", "caption", wrap=True)
        self._reason.hide()
        self._default: Default | None = None
        self.column.addLayout(row)
        self.column.addWidget(self._reason)

    def set_specs(self, limit: FieldSpec | None, long: FieldSpec | None, context_length: int | None) -> None:
        """What the operation and the model allow."""
        self._most = min(int(limit.le or _MOST) if limit is not None else _MOST, context_length or _MOST)
        self.limit.blockSignals(True)
        self.limit.setRange(_LEAST, self._most)
        self.limit.blockSignals(False)
        self.limit.setToolTip(limit.help if limit is not None else "")
        self.long.set_spec(long)

    def show_default(self, default: Default | None) -> None:
        """What a good cut-off is, and why; said while it is the chosen one."""
        self._default = default
        self._show_reason()

    def show_choice(self, max_tokens: int, long_rows: str) -> None:
        self._follow(max_tokens)
        self._show_reason()
        self.histogram.set_limit(max_tokens)
        self.long.set_value(long_rows)

    def show_answer(self, answer: DataAnswer | None, max_tokens: int) -> None:
        """Show what an answer says; dashes and an empty axis where there is none."""
        self._middle.setText("")
        if answer is None:
            self.histogram.show_lengths((), (0, max_tokens), max_tokens, self._most)
            return
        self.histogram.show_lengths(answer.histogram, answer.edges, max_tokens, self._most)
        half = format.grouped(answer.percentiles.get("50", 0))
        most = format.grouped(answer.percentiles.get("95", 0))
        longest = format.grouped(answer.longest)
        self._middle.setText(f"half under {half}, 95\u202f% under {most}, longest {longest} tokens")

    def _typed(self, value: int) -> None:
        self.histogram.set_limit(value)
        self.limit_chosen.emit(value)

    def _show_reason(self) -> None:
        default = self._default
        good = default is not None and default.value == self.limit.value()
        self._reason.setText(f"A good cut-off. {default.reason}" if default is not None else "")
        self._reason.setVisible(good)
        self.limit.setAccessibleDescription(self._reason.text() if good else self.limit.toolTip())

    def _follow(self, limit: int) -> None:
        self.limit.blockSignals(True)
        self.limit.setValue(limit)
        self.limit.blockSignals(False)
