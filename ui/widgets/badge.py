"""A badge: one or two words on a small ground, in a tone."""

from __future__ import annotations

from PySide6.QtCore import Qt
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
        self.setHidden(not text)

    def setText(self, text: str) -> None:
        super().setText(text)
        self.setHidden(not text)

    def set_tone(self, tone: str) -> None:
        if self.property("badge") != tone:
            self.setProperty("badge", tone)
            restyle(self)
