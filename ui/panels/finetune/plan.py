"""The right side of the Fine-tune page: what will happen, what it takes, and the button that starts it."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from ui import format
from ui.panels.finetune.memory_bar import MemoryBar
from ui.theme import Theme
from ui.widgets.card import label
from ui.widgets.message import MessageBar
from ui.widgets.place_choice import PlaceChoice
from ui.widgets.sweep_button import SweepButton


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """What a run needs of the memory that it would use.

    Attributes:
        place: `Memory`, or the GPU's name.
        basis: What the need is made of, in lines.
    """

    need_bytes: int
    free_bytes: int
    total_bytes: int
    place: str
    basis: str


@dataclass(frozen=True, slots=True)
class PlanNotice:
    """What to think of before a start; it `blocks` where there can be none. Kinds: warn, bad, info."""

    kind: str
    title: str
    remedy: str = ""
    blocks: bool = True


@dataclass(frozen=True, slots=True)
class Plan:
    """What a start would do.

    Attributes:
        sentence: In words.
        rows: Title, value, and what the value rests on.
        basis: What the estimates of time rest on.
        may_start: Whether the buttons can be used.
    """

    sentence: str
    rows: tuple[tuple[str, str, str], ...] = ()
    memory: MemoryPlan | None = None
    basis: str = ""
    output_name: str = ""
    notice: PlanNotice | None = None
    may_start: bool = False


class PlanCard(QFrame):
    """Shows a `Plan`.

    Signals:
        start: The run is to be started.
        export: The run is to be saved as a script and not started.
        sweep: Many values are to be tried.
        renamed: The name of the result was edited by a person.
    """

    start = Signal()
    export = Signal()
    sweep = Signal()
    renamed = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("card", "true")
        self.sentence = label("", "second", wrap=True)
        self.name = QLineEdit()
        self.name.setAccessibleName("Name of the result")
        self.name.textEdited.connect(self.renamed)
        self._name_title = label("Name of the result", "caption")
        self._name_title.setBuddy(self.name)
        self._table = QFormLayout()
        self._table.setContentsMargins(0, 2, 0, 2)
        self._table.setHorizontalSpacing(14)
        self._table.setVerticalSpacing(7)
        self._values: dict[str, QLabel] = {}
        self._memory = QWidget()
        self._bar = MemoryBar(theme)
        self._memory_title = label("", "second")
        inside = QVBoxLayout(self._memory)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.setSpacing(6)
        for widget in (self._memory_title, self._bar):
            inside.addWidget(widget)
        self._basis = label("", "caption", wrap=True)
        self.place = PlaceChoice(self)
        self.notice = MessageBar("warn", "", "", "")
        self.export_button = QPushButton("Export as script…")
        self.export_button.setToolTip("Save what Start would run as a Python script (Ctrl+E)")
        self.export_button.clicked.connect(self.export)
        self.sweep_button = SweepButton(self)
        self.sweep_button.clicked.connect(self.sweep)
        self.start_button = QPushButton("Start training")
        self.start_button.setProperty("variant", "primary")
        self.start_button.setToolTip("Start training (Ctrl+Enter)")
        self.start_button.setAccessibleDescription("Ctrl+Enter")
        self.start_button.clicked.connect(self.start)
        self._build()
        self.show_plan(Plan(""))

    def show_plan(self, plan: Plan) -> None:
        """Say what a start would do."""
        self.sentence.setText(plan.sentence)
        named = bool(plan.output_name)
        self.name.setVisible(named)
        self._name_title.setVisible(named)
        if named and self.name.text() != plan.output_name and not self.name.hasFocus():
            self.name.setText(plan.output_name)
            self.name.setCursorPosition(0)
            self.name.setToolTip(plan.output_name)
        self._show_rows(plan.rows)
        self._show_memory(plan.memory)
        self._basis.setText(plan.basis)
        self._basis.setVisible(bool(plan.basis))
        self.notice.setVisible(plan.notice is not None)
        if plan.notice is not None:
            self.notice.show_message(plan.notice.kind, plan.notice.title, plan.notice.remedy, "")
        self.start_button.setEnabled(plan.may_start)
        self.export_button.setEnabled(plan.may_start)
        self.sweep_button.set_usable(plan.may_start)

    def _show_rows(self, rows: tuple[tuple[str, str, str], ...]) -> None:
        if list(self._values) != [title for title, _, _ in rows]:
            while self._table.rowCount():
                self._table.removeRow(0)
            self._values = {}
            for title, _, _ in rows:
                value = label("", "body", wrap=True)
                value.setAlignment(Qt.AlignmentFlag.AlignRight)
                self._values[title] = value
                self._table.addRow(label(title, "second"), value)
        for title, text, basis in rows:
            value = self._values[title]
            value.setText(text)
            value.setToolTip(basis)
            value.setAccessibleName(f"{title}: {text}. {basis}".strip())

    def _show_memory(self, memory: MemoryPlan | None) -> None:
        self._memory.setVisible(memory is not None)
        if memory is None:
            return
        self._bar.show_need(memory.need_bytes, memory.free_bytes, memory.total_bytes)
        need, free = format.bytes(memory.need_bytes), format.bytes(memory.free_bytes)
        self._memory_title.setText(f"{memory.place}: about {need} of {free} free")
        self._memory_title.setAccessibleDescription(memory.basis)
        self._bar.setToolTip(memory.basis)
        self._memory_title.setToolTip(memory.basis)

    def _build(self) -> None:
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(18, 16, 18, 8)
        column.setSpacing(10)
        column.addWidget(label("What will happen", "section"))
        column.addWidget(self.sentence)
        column.addWidget(self._name_title)
        column.addWidget(self.name)
        column.addLayout(self._table)
        column.addWidget(self._memory)
        column.addWidget(self._basis)
        column.addWidget(self.notice)
        column.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scroll.setWidget(inner)
        foot = QVBoxLayout()
        foot.setContentsMargins(18, 4, 18, 16)
        foot.setSpacing(10)
        foot.addWidget(self.place)
        others = QHBoxLayout()
        others.setSpacing(8)
        others.addWidget(self.export_button, 1)
        others.addWidget(self.sweep_button)
        foot.addLayout(others)
        foot.addWidget(self.start_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(1, 1, 1, 1)
        layout.setSpacing(0)
        layout.addWidget(scroll, 1)
        layout.addLayout(foot)
