"""A part of a page under a heading that folds it away."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QPalette, QShowEvent
from PySide6.QtWidgets import QToolButton, QVBoxLayout, QWidget

from ui.icons import icon


class Fold(QWidget):
    """Folded at first."""

    def __init__(self, title: str, content: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._content = content
        self.button = QToolButton(self)
        self.button.setText(title)
        self.button.setCheckable(True)
        self.button.setAutoRaise(True)
        self.button.setProperty("bare", "true")
        self.button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.button.setAccessibleDescription("Shows or hides what is below")
        self.button.toggled.connect(self.unfold)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addWidget(self.button, 0, Qt.AlignmentFlag.AlignLeft)
        content.setParent(self)
        column.addWidget(content)
        content.hide()
        self._draw_sign()

    def unfold(self, on: bool) -> None:
        """Show or hide the content."""
        self.button.setChecked(on)
        self._content.setVisible(on)
        self._draw_sign()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._draw_sign()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._draw_sign()

    def _draw_sign(self) -> None:
        second = self.palette().color(QPalette.ColorRole.PlaceholderText).name()
        self.button.setIcon(icon("chevron-down" if self.button.isChecked() else "chevron-right", second))
