"""One example after the other, as the tokens that the model is shown."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QPushButton, QToolButton, QWidget

from ui import format
from ui.icons import icon
from ui.panels.finetune.small_choice import SmallChoice
from ui.panels.finetune.token_legend import TokenLegend
from ui.panels.finetune.token_view import TokenView
from ui.theme import Theme
from ui.widgets.badge import Badge
from ui.widgets.card import Card, label
from ui.widgets.elided_label import ElidedLabel
from ui.widgets.form_inputs import CalmSpinBox
from workbench.data.preview import PreviewRow
from workbench.params import FieldSpec

_LEAST_HEIGHT = 150


class PreviewCard(Card):
    """Rows are numbered from 1 through the whole dataset; some of them are at hand at a time.

    Signals:
        row_wanted: A row is to be shown that is not at hand; carries its number from 0.
        trained_chosen: Other turns are to be learned.
    """

    row_wanted = Signal(int)
    trained_chosen = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent=parent)
        self._theme = theme
        self._rows: Sequence[PreviewRow] = ()
        self._first = 0
        self._count = 0
        self._number = 0
        self.view = TokenView(theme)
        self.view.setMinimumHeight(_LEAST_HEIGHT)
        self.column.addLayout(self._build_head())
        self.column.addLayout(self._build_place())
        self.column.addWidget(self.view, 1)
        self.column.addLayout(self._build_foot())
        theme.changed.connect(self._draw_arrows)
        self._draw_arrows()
        self.show_rows((), 0, 0)

    @property
    def number(self) -> int:
        """The row that is shown, from 0."""
        return self._number

    def set_spec(self, spec: FieldSpec | None) -> None:
        self.trained.set_spec(spec)

    def show_rows(self, rows: Sequence[PreviewRow], first: int, count: int) -> None:
        """Take some rows of a dataset of `count`, beginning with number `first`."""
        self._rows, self._first, self._count = rows, first, count
        if not first <= self._number < first + len(rows):
            self._number = first
        self.jump.blockSignals(True)
        self.jump.setRange(1, max(count, 1))
        self.jump.blockSignals(False)
        self._show()

    def step(self, by: int) -> None:
        """Go on or back by some examples."""
        self.show_number(self._number + by)

    def show_number(self, number: int) -> None:
        """Show a row by its number from 0; one that is not at hand is asked for."""
        number = min(max(number, 0), max(self._count - 1, 0))
        self._number = number
        if self._rows and not self._first <= number < self._first + len(self._rows):
            self.row_wanted.emit(number)
        else:
            self._show()

    def _show(self) -> None:
        at = self._number - self._first
        row = self._rows[at] if 0 <= at < len(self._rows) else None
        pairs = row is not None and len(row.sequences) > 1
        for button in self.sides:
            button.setVisible(pairs)
        # Of preferences the last answers are learned, whatever else is.
        self.trained.setVisible(not pairs and bool(self.trained.combo.count()))
        side = 1 if pairs and self.sides[1].isChecked() else 0
        tokens = row.sequences[side] if row is not None and row.sequences else ()
        self.view.show_tokens(tokens)
        self._place.setText(f"{row.file}, line {format.grouped(row.line)}" if row is not None else "")
        self._side.setText("" if row is None else _side_of(row))
        self._side.set_tone("accent" if row is not None and row.used and not row.held_out else "neutral")
        self.jump.blockSignals(True)
        self.jump.setValue(self._number + 1)
        self.jump.blockSignals(False)
        self.jump.setEnabled(self._count > 1)
        self.before.setEnabled(self._number > 0)
        self.after.setEnabled(self._number + 1 < self._count)
        self._of.setText(f"of {format.grouped(self._count)}")
        more = row.more[side] if row is not None and row.more else 0
        rest = f" and {format.grouped(more)} more that are not shown" if more else ""
        self._told.setText(self.view.accessibleDescription() + rest if tokens else "")

    def _build_head(self) -> QHBoxLayout:
        head = QHBoxLayout()
        head.setSpacing(6)
        self.before, self.after = QToolButton(), QToolButton()
        for button, text, keys, step in (
            (self.before, "Example before", "Alt+Left", -1),
            (self.after, "Next example", "Alt+Right", 1),
        ):
            button.setAccessibleName(text)
            button.setToolTip(f"{text} ({keys})")
            button.clicked.connect(lambda _on=False, step=step: self.step(step))
        self.jump = CalmSpinBox()
        self.jump.setFixedWidth(84)
        self.jump.setKeyboardTracking(False)
        self.jump.setAccessibleName("Example to show")
        self.jump.valueChanged.connect(lambda value: self.show_number(value - 1))
        self._of = label("", "caption")
        head.addWidget(label("What the model sees", "section"))
        head.addStretch(1)
        for widget in (self.before, self.jump, self._of, self.after):
            head.addWidget(widget)
        return head

    def _build_place(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(8)
        self._side = Badge("", "accent", self)
        self._place = ElidedLabel("")
        self._place.setProperty("role", "caption")
        self.sides = [QPushButton("Better"), QPushButton("Worse")]
        group = QButtonGroup(self)
        for button in self.sides:
            button.setCheckable(True)
            button.setProperty("variant", "quiet")
            button.setProperty("segment", "true")
            button.setAccessibleName(f"Show the {button.text().lower()} answer")
            button.clicked.connect(self._show)
            group.addButton(button)
        self.sides[0].setChecked(True)
        row.addWidget(self._side)
        row.addWidget(self._place, 1)
        for button in self.sides:
            row.addWidget(button)
        self.trained = SmallChoice("Learn")
        self.trained.chosen.connect(self.trained_chosen)
        row.addWidget(self.trained)
        return row

    def _build_foot(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(10)
        self._told = ElidedLabel("")
        self._told.setProperty("role", "caption")
        self.view.pointed.connect(self._told.setText)
        row.addWidget(TokenLegend(self._theme))
        row.addWidget(self._told, 1)
        return row

    def _draw_arrows(self) -> None:
        colour = self.palette().color(QPalette.ColorRole.WindowText).name()
        self.before.setIcon(icon("chevron-left", colour))
        self.after.setIcon(icon("chevron-right", colour))


def _side_of(row: PreviewRow) -> str:
    if not row.used:
        return "left out"
    return "held out" if row.held_out else "trained on"
