"""What stands beside a conversation: its settings, live figures, and the server."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QScrollArea, QTabWidget, QWidget

from ui.panels.chat.live import LivePlots
from ui.panels.chat.serve import ServePanel
from ui.panels.chat.settings import ChatSettings

_WIDTH = 288


class ChatSide(QTabWidget):
    """Three tabs."""

    def __init__(
        self, settings: ChatSettings, live: LivePlots, serve: ServePanel, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setFixedWidth(_WIDTH)
        self.setDocumentMode(True)
        self.setAccessibleName("Settings and live figures")
        self.tabBar().setAccessibleName("Settings or live figures")
        self.tabBar().setDrawBase(False)
        self._live = _scrolling(live)
        self.addTab(settings, "Settings")
        self.addTab(self._live, "Live")
        self.addTab(serve, "Serve")

    def show_live(self) -> None:
        """Show the live figures."""
        self.setCurrentWidget(self._live)


def _scrolling(content: QWidget) -> QScrollArea:
    """A part that a low window can't show whole."""
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    area.setWidget(content)
    return area
