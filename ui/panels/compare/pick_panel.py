"""“Pick for me”: a few limits, the model that suits them best, and why the others were turned down."""

from __future__ import annotations

import re

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QListWidget, QListWidgetItem, QPushButton, QVBoxLayout

from ui.icons import icon
from ui.models.compare_variants import Comparison, Variant
from ui.panels.compare.limit_row import LimitRow
from ui.theme import Theme
from ui.widgets.card import Card, label, restyle
from workbench.measure.grade import NOTICED_KLD
from workbench.measure.pick import Limits, Pick, choice_of, pick

_GB = 1e9


class PickPanel(Card):
    """Picks anew at every change.

    Signals:
        picked: The place of the best model in the comparison, or None.
        open_wanted: The person wants to see the model with this id in the library.
        chat_wanted: The person wants to talk to the model with this id.
    """

    picked = Signal(object)
    open_wanted = Signal(str)
    chat_wanted = Signal(str)

    def __init__(self, theme: Theme) -> None:
        super().__init__("Pick for me")
        self._theme = theme
        self._comparison = Comparison()
        self.found = Pick(None, (), ())
        self.memory = LimitRow("Memory up to", "GB", 4.0, 4096.0, 0.5, "Peak while it was measured")
        self.decode = LimitRow("Speed from", "tok/s", 10.0, 1e6, 5.0, "Decode speed of one answer")
        self.kld = LimitRow(
            "KL up to", "nats", NOTICED_KLD, 100.0, 0.01, "Mean KL divergence from the reference"
        )
        self.task = LimitRow(
            "Task loss up to", "%", 2.0, 100.0, 0.5, "Share of a task’s items that may be lost"
        )
        self.limits = (self.memory, self.decode, self.kld, self.task)
        self.kld.set_limit(NOTICED_KLD)
        self._build()
        for row in self.limits:
            row.changed.connect(self._pick)
        theme.changed.connect(self._show)
        self._pick()

    def show_comparison(self, comparison: Comparison) -> None:
        self._comparison = comparison
        self._pick()

    def best(self) -> Variant | None:
        """The model that was picked."""
        return self._comparison.variants[self.found.best] if self.found.best is not None else None

    def wanted(self) -> Limits:
        """The limits as they are set."""
        memory, share = self.memory.limit(), self.task.limit()
        return Limits(
            memory_bytes=memory * _GB if memory is not None else None,
            decode=self.decode.limit(),
            mean_kld=self.kld.limit(),
            task_loss=share / 100 if share is not None else None,
        )

    def _pick(self) -> None:
        choices = [
            choice_of(each.card, name=each.label, is_reference=each.is_reference)
            for each in self._comparison.variants
        ]
        self.found = pick(choices, self.wanted())
        self._show()
        self.picked.emit(self.found.best)

    def _show(self) -> None:
        best = self.best()
        if best is not None:
            self._name.setText(best.name)
            self._reasons.setText(_unbroken("\n".join(self.found.reasons)))
        elif self._comparison.variants:
            self._name.setText("Nothing qualifies")
            self._reasons.setText("No chosen model keeps all limits. What each one breaks stands below.")
        else:
            self._name.setText("Nothing to choose from")
            self._reasons.setText("Choose measured models first.")
        tone = "good" if best is not None else "warn" if self._comparison.variants else "info"
        if self._answer.property("message") != tone:
            self._answer.setProperty("message", tone)
            restyle(self._answer)
        self._name.setAccessibleName(f"Picked: {self._name.text()}")
        self._tools.setVisible(best is not None and best.model_id is not None)
        self._others.setVisible(bool(self.found.rejected))
        self._fill()

    def _fill(self) -> None:
        tokens = self._theme.tokens
        self.list.clear()
        for each in self.found.rejected:
            name = self._comparison.variants[each.place].label
            item = QListWidgetItem(f"{name}\n{_unbroken(' '.join(each.reasons))}")
            sign, colour = ("minus", tokens.second) if each.qualifies else ("close", tokens.bad)
            item.setIcon(icon(sign, colour))
            item.setData(
                Qt.ItemDataRole.AccessibleTextRole,
                f"{name}, {'not picked' if each.qualifies else 'turned down'}: {' '.join(each.reasons)}",
            )
            self.list.addItem(item)
        self.list.setVisible(bool(self.found.rejected))

    def _build(self) -> None:
        self.column.setContentsMargins(16, 14, 14, 12)
        self.column.setSpacing(8)
        for row in self.limits:
            self.column.addWidget(row)
        answer = QFrame()
        answer.setProperty("message", "good")
        self._answer = answer
        inside = QVBoxLayout(answer)
        inside.setContentsMargins(12, 10, 10, 10)
        inside.setSpacing(6)
        self._name = label("", "section", wrap=True)
        self._name.setTextFormat(Qt.TextFormat.PlainText)
        self._reasons = label("", "second", wrap=True)
        self._reasons.setTextFormat(Qt.TextFormat.PlainText)
        self._reasons.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._tools = QFrame()
        tools = QHBoxLayout(self._tools)
        tools.setContentsMargins(0, 2, 0, 0)
        tools.setSpacing(8)
        for text, spoken, signal in (
            ("Chat with it", "Chat with the picked model", self.chat_wanted),
            ("Show it", "Show the picked model in the library", self.open_wanted),
        ):
            button = QPushButton(text)
            button.setAccessibleName(spoken)
            button.clicked.connect(lambda _on=False, signal=signal: self._send(signal))
            tools.addWidget(button)
        tools.addStretch(1)
        for part in (self._name, self._reasons, self._tools):
            inside.addWidget(part)
        self._others = label("The others", "caption")
        self.list = _Wrapped()
        self.list.setAccessibleName("Models that were not picked, and why")
        self.column.addSpacing(4)
        self.column.addWidget(answer)
        self.column.addWidget(self._others)
        self.column.addWidget(self.list, 1)
        self.column.addStretch(0)

    def _send(self, signal: object) -> None:
        best = self.best()
        if best is not None and best.model_id is not None:
            signal.emit(best.model_id)  # type: ignore[attr-defined]


def _unbroken(text: str) -> str:
    """Keep a figure and its unit on one line: Qt breaks lines behind a slash and at every space."""
    return re.sub(r"(?<=\d) (?=tok/s|%|[kMGT]?B\b)", "\u202f", text).replace("tok/s", "tok/\u2060s")


class _Wrapped(QListWidget):
    """A list whose lines break where the panel ends."""

    def __init__(self) -> None:
        super().__init__()
        self.setWordWrap(True)
        self.setSpacing(2)
        self.setIconSize(QSize(14, 14))
        self.setFrameShape(QListWidget.Shape.NoFrame)
        self.setResizeMode(QListWidget.ResizeMode.Adjust)
        self.setVerticalScrollMode(QListWidget.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.doItemsLayout()
