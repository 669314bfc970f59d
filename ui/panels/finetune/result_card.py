"""What a training brought and what it cost: held-out loss, accuracy, forgetting, and what to do next."""

from __future__ import annotations

from PySide6.QtCore import QSize, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from ui import format
from ui.panels.finetune.interval_bars import IntervalBars
from ui.panels.finetune.outcome import Forgetting, HeldOut, Outcome, Task
from ui.theme import Theme
from ui.widgets.badge import Badge
from ui.widgets.card import Card, label, restyle
from ui.widgets.flow_layout import FlowLayout
from workbench.measure.verdict import forgotten, p_text

_TONES = {"hardly any": "good", "some": "warn", "much": "bad"}

#: What can be done with a result, in the order of its buttons; those of an adapter alone come first.
FOLLOW_UPS = {
    "chat": ("Chat side by side", "The base and the adapter answer the same prompts"),
    "merge": ("Merge into the base", "One whole model, as safetensors"),
    "gguf": ("Convert to GGUF", "The adapter as one file for llama.cpp"),
    "models": ("Show in Models", "The result below its base in the library"),
    "export": ("Export script", "The training as a Python script that runs anywhere"),
}
#: From this width on the parts stand beside each other.
_ONE_ROW = 640
_LEAST_WIDTH = 240

_OF_ADAPTERS = ("chat", "merge", "gguf")


class ResultCard(Card):
    """Shown once a run is done.

    Signals:
        wanted: What a person wants to do next; a key of `FOLLOW_UPS`.
    """

    wanted = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent=parent)
        self._grid = QGridLayout()
        self._grid.setHorizontalSpacing(28)
        self._grid.setVerticalSpacing(14)
        self._columns = 0
        self.held_out = _Part("Held-out loss")
        self.task = _Part("Task accuracy")
        self.bars = IntervalBars(theme)
        self.task.column.insertWidget(2, self.bars)
        self.forgetting = _Part("Forgetting")
        self._parts = (self.held_out, self.task, self.forgetting)
        self._buttons = QWidget()
        flow = FlowLayout(self._buttons, spacing=8)
        self.buttons: dict[str, QPushButton] = {}
        for name, (title, tip) in FOLLOW_UPS.items():
            button = QPushButton(title, self._buttons)
            button.setToolTip(tip)
            button.setAccessibleDescription(tip)
            button.clicked.connect(lambda _on=False, name=name: self.wanted.emit(name))
            flow.addWidget(button)
            self.buttons[name] = button
        self.buttons["chat"].setProperty("variant", "primary")
        self.column.addLayout(self._grid)
        self.column.addWidget(self._buttons)
        self._arrange(3)

    def minimumSizeHint(self) -> QSize:
        return QSize(_LEAST_WIDTH, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange(3 if self.width() >= _ONE_ROW else 1)

    def _arrange(self, columns: int) -> None:
        """The three parts beside each other, or one below the other."""
        if columns == self._columns:
            return
        self._columns = columns
        for place, part in enumerate(self._parts):
            self._grid.addWidget(part, place // columns, place % columns)
            self._grid.setColumnStretch(place, 1 if place < columns else 0)

    def show_outcome(self, outcome: Outcome, *, is_adapter: bool, has_model: bool) -> None:
        """Show what there is; a part that was not measured says so."""
        self._show_held_out(outcome.held_out)
        self._show_task(outcome.task)
        self._show_forgetting(outcome.forgetting)
        for name, button in self.buttons.items():
            shown = has_model or name == "export"
            button.setVisible(shown and (is_adapter or name not in _OF_ADAPTERS or name == "chat"))

    def _show_held_out(self, found: HeldOut | None) -> None:
        if found is None:
            self.held_out.show_nothing("Nothing was held out.")
            return
        better = found.after < found.before
        self.held_out.show_part(
            f"{found.before:.3g} → {found.after:.3g}",
            "better" if better else "not better",
            "good" if better else "bad",
            "Mean loss of a token in rows that were never learned; lower is better.",
        )

    def _show_task(self, found: Task | None) -> None:
        self.bars.setVisible(found is not None)
        if found is None:
            self.task.show_nothing("Not measured in this run.")
            return
        self.bars.show_shares(found.before, found.after, found.wilson_before, found.wilson_after)
        said, _, chance = found.verdict.partition(", ")
        words = [f"{format.grouped(found.items)} held-out tasks"]
        if found.only_after is not None and found.only_before is not None:
            words.append(f"{found.only_after} newly right, {found.only_before} newly wrong")
        if chance or found.p is not None:
            words.append(chance or p_text(found.p or 0.0))
        tone = {"better": "good", "worse": "bad"}.get(said, "neutral")
        self.task.show_part("", said, tone, ". ".join(words) + ".")

    def _show_forgetting(self, found: Forgetting | None) -> None:
        if found is None:
            self.forgetting.show_nothing("Not measured in this run.")
            return
        grade = found.grade or forgotten(found.mean_kld)
        words = ["Distance from the base on text it was not trained on"]
        if found.same_top is not None:
            words.append(f"Same next word: {format.percent(found.same_top, 1)}")
        if found.accuracy_before is not None and found.accuracy_after is not None:
            change = f"{format.percent(found.accuracy_before)} → {format.percent(found.accuracy_after)}"
            chance = f", {p_text(found.p)}" if found.p is not None else ""
            words.append(f"Other tasks: {change}{chance}")
        self.forgetting.show_part(
            f"KL {found.mean_kld:.2g}", grade, _TONES.get(grade, "neutral"), ". ".join(words) + "."
        )


class _Part(QWidget):
    """A caption with a verdict, a figure, and what it means."""

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._title = title
        self.verdict = Badge("", "neutral", self)
        self.figure = QLabel("")
        self.figure.setProperty("role", "figure")
        self._words = label("", "caption", wrap=True)
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(label(title, "caption"))
        head.addWidget(self.verdict)
        head.addStretch(1)
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(0, 0, 0, 0)
        self.column.setSpacing(4)
        self.column.addLayout(head)
        self.column.addWidget(self.figure)
        self.column.addWidget(self._words)
        self.column.addStretch(1)

    def show_part(self, figure: str, verdict: str, tone: str, words: str) -> None:
        self.figure.setText(figure)
        self.figure.setVisible(bool(figure))
        self.verdict.setText(verdict)
        self.verdict.set_tone(tone)
        self._words.setText(words)
        self.setAccessibleName(f"{self._title}: {figure} {verdict}. {words}")
        restyle(self.figure)

    def show_nothing(self, words: str) -> None:
        self.show_part("—", "", "neutral", words)
