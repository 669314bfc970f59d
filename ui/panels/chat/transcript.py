"""The messages of a conversation, one under the other; follows what is being written at the end."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from ui.panels.chat.message import MessageView
from ui.theme import Theme
from ui.widgets.message import MessageBar
from workbench.chat.conversations import Turn

#: The widest that messages, and the field below them, become, in pixels.
WIDEST = 860
#: Near enough to the end to go on following it, in pixels.
_AT_END = 48


class Transcript(QScrollArea):
    """See the module.

    Signals: those of `MessageView`, for any message.
    """

    edit_wanted = Signal(int)
    again_wanted = Signal(int)
    branch_wanted = Signal(int)
    copied = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._views: list[MessageView] = []
        self._follows = True
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName("Conversation")
        inside = QWidget()
        row = QHBoxLayout(inside)
        row.setContentsMargins(8, 12, 8, 12)
        self._room = QWidget()
        self._room.setMaximumWidth(WIDEST)
        self._column = QVBoxLayout(self._room)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(10)
        self._column.addStretch(1)
        # In the middle of a wide window, and never wider than is good to read.
        row.addStretch(1)
        row.addWidget(self._room, 1000)
        row.addStretch(1)
        self.setWidget(inside)
        bar = self.verticalScrollBar()
        bar.rangeChanged.connect(self._grown)
        bar.valueChanged.connect(self._scrolled)

    @property
    def views(self) -> tuple[MessageView, ...]:
        """The messages, first to last."""
        return tuple(self._views)

    def show_turns(self, turns: Sequence[Turn]) -> None:
        """Show a branch; messages that are there already stay, so that nothing flickers."""
        same = 0
        for view, turn in zip(self._views, turns, strict=False):
            if view.turn is None or view.turn.id != turn.id:
                break
            view.set_turn(turn)
            same += 1
        self._cut(same)
        for turn in turns[same:]:
            who = "You" if turn.role == "user" else turn.model_name or "Assistant"
            self.add(turn.role, who).set_turn(turn)
        self._follows = True
        QTimer.singleShot(0, self._to_end)

    def add(self, role: str, who: str) -> MessageView:
        """Add a message at the end, still empty."""
        view = MessageView(self._theme, role, who)
        view.edit_wanted.connect(self.edit_wanted)
        view.again_wanted.connect(self.again_wanted)
        view.branch_wanted.connect(self.branch_wanted)
        view.copied.connect(self.copied)
        self._views.append(view)
        self._column.insertWidget(self._column.count() - 1, view)
        return view

    def add_error(self, title: str, text: str, details: str) -> MessageBar:
        """Say at the end of the conversation that something went wrong."""
        bar = MessageBar("bad", title, text, details)
        self._column.insertWidget(self._column.count() - 1, bar)
        self._follows = True
        return bar

    def clear_errors(self) -> None:
        """Take away what went wrong before."""
        for place in reversed(range(self._column.count())):
            item = self._column.itemAt(place)
            widget = item.widget() if item is not None else None
            if isinstance(widget, MessageBar):
                self._column.removeWidget(widget)
                widget.deleteLater()

    def _cut(self, length: int) -> None:
        self.clear_errors()
        for view in self._views[length:]:
            self._column.removeWidget(view)
            view.hide()
            view.deleteLater()
        del self._views[length:]

    def _scrolled(self, value: int) -> None:
        bar = self.verticalScrollBar()
        self._follows = value >= bar.maximum() - _AT_END

    def _grown(self) -> None:
        if self._follows:
            self._to_end()

    def _to_end(self) -> None:
        bar = self.verticalScrollBar()
        bar.setValue(bar.maximum())
