"""A badge: one or two words on a small ground, in a tone."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt
from PySide6.QtWidgets import QLabel, QSizePolicy, QWidget

from ui.widgets.card import restyle


class Badge(QLabel):
    """Hidden while it has nothing to say. Tones: neutral, accent, good, warn, bad."""

    def __init__(self, text: str = "", tone: str = "neutral", parent: QWidget | None = None) -> None:
        super().__init__(text, parent)
        self.setProperty("badge", tone)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self._show_if_needed()

    def setText(self, text: str) -> None:
        super().setText(text)
        self._show_if_needed()

    def _show_if_needed(self) -> None:
        # What has no parent yet would be shown as a window of its own, which takes the focus.
        if not self.text():
            self.hide()
        elif self.parent() is not None:
            self.show()

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ParentChange:
            self._show_if_needed()
        return super().event(event)

    def set_tone(self, tone: str) -> None:
        if self.property("badge") != tone:
            self.setProperty("badge", tone)
            restyle(self)
