"""The head of the Chat page: which model, whether it is loaded, and what became of the options."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QMenu, QPushButton, QVBoxLayout, QWidget

from ui import format
from ui.widgets.badge import Badge
from ui.widgets.card import label
from ui.widgets.elided_label import ElidedLabel
from ui.widgets.optimize_model import ModelChooser
from ui.widgets.progress_line import ProgressLine
from workbench.engines.wire import LoadReport
from workbench.library.records import ModelRecord


class ChatHeader(QWidget):
    """See the module.

    Signals:
        chosen: Another model was chosen; carries its id.
        load_wanted, unload_wanted: What the button says.
    """

    chosen = Signal(str)
    load_wanted = Signal()
    unload_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._loaded = False
        self.chooser = ModelChooser()
        self.chooser.setMinimumWidth(220)
        self.chooser.chosen.connect(self.chosen)
        self.button = QPushButton("Load")
        self.button.setProperty("variant", "primary")
        self.button.clicked.connect(self._pressed)
        self._state = Badge("not loaded")
        self._line = ElidedLabel("")
        self._line.setProperty("role", "caption")
        self._checks = QPushButton("Options")
        self._checks.setProperty("variant", "quiet")
        self._checks.setToolTip("What was asked for, and what is so")
        self._menu = QMenu(self._checks)
        self._checks.setMenu(self._menu)
        self._checks.setProperty("menu", True)
        self._checks.setVisible(False)
        self.side_by_side = QPushButton("Side by side")
        self.side_by_side.setProperty("variant", "quiet")
        self.side_by_side.setCheckable(True)
        self.side_by_side.setToolTip("The same prompt to several models at once")
        self.progress = ProgressLine()
        self.progress.setVisible(False)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(label("Chat", "title"))
        row.addSpacing(12)
        row.addWidget(self.chooser, 1)
        row.addWidget(self.button)
        row.addWidget(self.side_by_side)
        below = QHBoxLayout()
        below.setSpacing(8)
        below.addWidget(self._state)
        below.addWidget(self._line, 1)
        below.addWidget(self._checks)
        # The row keeps its height when there is no button in it.
        below.addSpacing(0)
        below.addStrut(self._checks.sizeHint().height())
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addLayout(row)
        column.addLayout(below)
        column.addWidget(self.progress)

    def set_records(self, records: Sequence[ModelRecord]) -> None:
        """Offer these models."""
        self.chooser.set_records(records)
        for button in (self.button, self.side_by_side):
            button.setEnabled(bool(records))

    def show_idle(self, words: str = "") -> None:
        """No model is loaded."""
        self._show("not loaded", "neutral", words, button="Load", primary=True)
        self._checks.setVisible(False)

    def show_loading(self, fraction: float) -> None:
        """A model is being loaded."""
        self._show("loading", "accent", "", button="Cancel", primary=False)
        self.progress.setVisible(True)
        self.progress.set_share(fraction)

    def show_loaded(self, report: LoadReport) -> None:
        """A model is ready."""
        words = (
            f"{report.engine} on {report.device} · context {format.grouped(report.context)} ·"
            f" {format.bytes(report.memory_bytes)} · loaded in {format.duration(report.load_s)}"
        )
        self._show("loaded", "good", words, button="Unload", primary=False)
        self._menu.clear()
        for check in report.checks:
            sign = "✓" if check.active else "✗"
            said = f"{sign}  {check.option}: {check.actual}"
            if not check.active:
                said += f" (asked for {check.requested})"
            action = self._menu.addAction(said)
            action.setToolTip(check.note)
            if check.note:
                self._menu.addAction(f"      {check.note}").setEnabled(False)
        failed = sum(not check.active for check in report.checks)
        self._checks.setText(f"{failed} not active" if failed else "All options active")
        self._checks.setVisible(bool(report.checks))

    def _show(self, state: str, tone: str, words: str, *, button: str, primary: bool) -> None:
        self._loaded = not primary
        self._state.setText(state)
        self._state.set_tone(tone)
        self._line.setText(words)
        self._line.setToolTip(words)
        self.button.setText(button)
        self.button.setProperty("variant", "primary" if primary else "")
        self.button.style().polish(self.button)
        self.progress.setVisible(False)

    def _pressed(self) -> None:
        (self.unload_wanted if self._loaded else self.load_wanted).emit()
