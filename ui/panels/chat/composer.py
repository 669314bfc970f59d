"""Where a person writes: Enter sends, Shift+Enter begins a line, a text file can be attached."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ui import format, icons
from ui.theme import Theme
from ui.widgets.card import label, restyle
from workbench.errors import UsageError, WorkbenchError

#: A larger file fits into no context that a desktop holds.
_MOST_FILE_BYTES = 2_000_000
_LINES = (2, 8)


class Composer(QFrame):
    """See the module.

    Signals:
        sent: What the person wrote.
        stop_wanted: End the answer under way.
        changed: The text is another now.
        failed: A file can't be attached; carries a `WorkbenchError`.
    """

    sent = Signal(str)
    stop_wanted = Signal()
    changed = Signal()
    failed = Signal(object)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._busy = False
        self._ready = False
        self.setProperty("card", True)
        self.editor = _Editor()
        self.editor.setPlaceholderText("Write a message — Enter sends, Shift+Enter begins a new line")
        self.editor.setAccessibleName("Message")
        self.editor.send_wanted.connect(self._send)
        self.editor.textChanged.connect(self._text_changed)
        self._attach = QToolButton()
        self._attach.setProperty("autoRaise", True)
        self._attach.setToolTip("Attach a text file")
        self._attach.setAccessibleName("Attach a text file")
        self._attach.clicked.connect(self._ask_for_file)
        self._meter_text = label("", "caption")
        self._meter = QProgressBar()
        self._meter.setFixedWidth(120)
        self._meter.setAccessibleName("How full the context is")
        self._meter.setTextVisible(False)
        self._meter.setVisible(False)
        self.button = QPushButton("Send")
        self.button.setProperty("variant", "primary")
        self.button.clicked.connect(self._pressed)
        foot = QHBoxLayout()
        foot.setSpacing(8)
        foot.addWidget(self._attach)
        foot.addWidget(self._meter)
        foot.addWidget(self._meter_text)
        foot.addStretch(1)
        foot.addWidget(self.button)
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 10, 10, 8)
        column.setSpacing(6)
        column.addWidget(self.editor)
        column.addLayout(foot)
        theme.changed.connect(self._recolour)
        self._recolour()
        self._show_state()

    @property
    def text(self) -> str:
        """What is written."""
        return self.editor.toPlainText()

    def set_text(self, text: str) -> None:
        """Put a text there, to be changed and sent."""
        self.editor.setPlainText(text)
        self.editor.moveCursor(self.editor.textCursor().MoveOperation.End)
        self.editor.setFocus()

    def set_state(self, *, ready: bool, busy: bool) -> None:
        """Whether there is a model to send to, and whether it is answering."""
        self._ready, self._busy = ready, busy
        self._show_state()

    def set_meter(self, used: int, limit: int) -> None:
        """How many tokens the conversation with this text takes, of how many."""
        self._meter.setVisible(limit > 0)
        self._meter.setMaximum(max(1, limit))
        self._meter.setValue(min(used, limit))
        over = limit > 0 and used >= limit
        words = f"{format.grouped(used)} of {format.grouped(limit)} tokens" if limit else ""
        self._meter_text.setText(f"{words}: too long, it would be refused" if over else words)
        self._meter_text.setProperty("tone", "bad" if over else "")
        restyle(self._meter_text)

    def attach(self, path: Path) -> None:
        """Put a file's text behind what is written."""
        try:
            text = _read(path)
        except WorkbenchError as error:
            self.failed.emit(error)
            return
        before = f"{self.text.rstrip()}\n\n" if self.text.strip() else ""
        self.set_text(f"{before}{path.name}:\n```\n{text.rstrip()}\n```\n")

    def _ask_for_file(self) -> None:
        chosen, _ = QFileDialog.getOpenFileName(self, "Attach a text file")
        if chosen:
            self.attach(Path(chosen))

    def _pressed(self) -> None:
        if self._busy:
            self.stop_wanted.emit()
        else:
            self._send()

    def _send(self) -> None:
        text = self.text.strip()
        if text and self._ready and not self._busy:
            self.editor.clear()
            self.sent.emit(text)

    def _text_changed(self) -> None:
        self._show_state()
        self.changed.emit()

    def _show_state(self) -> None:
        self.button.setText("Stop" if self._busy else "Send")
        self.button.setProperty("variant", "" if self._busy else "primary")
        self.button.setEnabled(self._busy or (self._ready and bool(self.text.strip())))
        self.button.setToolTip("Stop the answer (Esc)" if self._busy else "Send (Enter)")
        restyle(self.button)

    def _recolour(self) -> None:
        self._attach.setIcon(icons.icon("attach", self._theme.tokens.second))


class _Editor(QPlainTextEdit):
    """Grows with its text, up to a few lines."""

    send_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setTabChangesFocus(True)
        self.textChanged.connect(self.updateGeometry)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        enter = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if enter and not event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self.send_wanted.emit()
            return
        super().keyPressEvent(event)

    def sizeHint(self) -> QSize:
        lines = min(max(self.document().lineCount(), _LINES[0]), _LINES[1])
        return QSize(400, lines * self.fontMetrics().lineSpacing() + 22)

    def minimumSizeHint(self) -> QSize:
        return QSize(160, self.sizeHint().height())


def _read(path: Path) -> str:
    """A text file's text.

    Raises:
        UsageError: It is too large, no text, or can't be read.
    """
    try:
        size = path.stat().st_size
        if size > _MOST_FILE_BYTES:
            most = format.bytes(_MOST_FILE_BYTES)
            raise UsageError(f"{path.name} has {format.bytes(size)}; at most {most} can be attached.")
        raw = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path.name} can't be read: {error.strerror}.") from error
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = ""
    if "\x00" in text or (raw and not text):
        raise UsageError(f"{path.name} is not a text file.", remedy="Attach plain text in UTF-8.")
    return text
