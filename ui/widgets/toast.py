"""Short messages that appear at the lower right of the window and go away by themselves."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt, QTimer, Signal
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent, QEnterEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QToolButton, QVBoxLayout, QWidget

from ui.icons import icon, pixmap
from ui.theme import Theme
from ui.widgets.card import label

_WIDTH = 380
_MARGIN = 16
_AT_ONCE = 4
#: How long each kind stays, in milliseconds. What went wrong stays long enough to be read twice.
_STAYS_MS = {"good": 5_000, "info": 6_000, "warn": 10_000, "bad": 15_000}


class Toasts(QWidget):
    """A column of toasts over its parent, the newest below; takes no room and no clicks beside them."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self._lift = 0
        self._shown: list[Toast] = []
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(8)
        self.setFixedWidth(_WIDTH)
        parent.installEventFilter(self)
        self.hide()

    @property
    def toasts(self) -> tuple[Toast, ...]:
        return tuple(self._shown)

    def show_message(self, kind: str, text: str) -> None:
        """Show one more; the same message twice in a row starts its time anew."""
        if self._shown and (self._shown[-1].kind, self._shown[-1].text) == (kind, text):
            self._shown[-1].stay()
            return
        while len(self._shown) >= _AT_ONCE:
            self._drop(self._shown[0])
        toast = Toast(self._theme, kind, text, self)
        toast.gone.connect(self._drop)
        self._shown.append(toast)
        self._column.addWidget(toast)
        toast.show()
        self.show()
        self._place()
        QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(toast, f"{kind}: {text}"))

    def set_lift(self, pixels: int) -> None:
        """Stand so much higher, above what lies at the window's lower edge."""
        self._lift = pixels
        self._place()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self.parent() and event.type() == QEvent.Type.Resize:
            self._place()
        return super().eventFilter(watched, event)

    def _drop(self, toast: Toast) -> None:
        if toast not in self._shown:
            return
        self._shown.remove(toast)
        self._column.removeWidget(toast)
        toast.hide()
        toast.deleteLater()
        self.setVisible(bool(self._shown))
        self._place()

    def _place(self) -> None:
        if not self._shown:
            return
        room = self.parentWidget().rect()
        self._column.activate()
        height = sum(toast.heightForWidth(_WIDTH) for toast in self._shown) + 8 * (len(self._shown) - 1)
        self.setGeometry(
            room.right() - _WIDTH - _MARGIN, room.bottom() - height - _MARGIN - self._lift, _WIDTH, height
        )
        self.raise_()


class Toast(QFrame):
    """One message, with a sign for its kind.

    Signals:
        gone: Its time is over, or it was closed; carries the toast.
    """

    gone = Signal(object)

    def __init__(self, theme: Theme, kind: str, text: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.kind = kind if kind in _STAYS_MS else "info"
        self.text = text
        self.setObjectName("toast")
        self.setAccessibleName(f"{self.kind}: {text}")
        tokens = theme.tokens
        colours = {"good": tokens.good, "warn": tokens.warn, "bad": tokens.bad, "info": tokens.accent}
        sign = QLabel()
        sign.setPixmap(pixmap(self.kind, colours[self.kind], 18, self.devicePixelRatioF()))
        words = label(text, "body", wrap=True)
        words.setTextFormat(Qt.TextFormat.PlainText)
        close = QToolButton()
        close.setAutoRaise(True)
        close.setIcon(icon("close", tokens.second))
        close.setFixedSize(24, 24)
        close.setAccessibleName("Close this message")
        close.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        close.setProperty("bare", "true")
        close.clicked.connect(lambda: self.gone.emit(self))
        row = QHBoxLayout(self)
        row.setContentsMargins(14, 10, 8, 10)
        row.setSpacing(10)
        row.addWidget(sign, 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(words, 1)
        row.addWidget(close, 0, Qt.AlignmentFlag.AlignTop)
        self._time = QTimer(self)
        self._time.setSingleShot(True)
        self._time.timeout.connect(lambda: self.gone.emit(self))
        self.stay()

    def stay(self) -> None:
        """Begin its time anew."""
        self._time.start(_STAYS_MS[self.kind])

    def enterEvent(self, event: QEnterEvent) -> None:
        self._time.stop()

    def leaveEvent(self, event: QEvent) -> None:
        self.stay()
