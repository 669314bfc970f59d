"""The last lines of a job's log: follows while one is at the end, can be searched and copied."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import (
    QFontDatabase,
    QGuiApplication,
    QKeyEvent,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
)
from PySide6.QtWidgets import (
    QCheckBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QTextEdit,
    QVBoxLayout,
    QWidget,
)

#: What the board keeps of a log for the window.
LINES = 200

_MOST_MARKS = 500


class JobLog(QWidget):
    """The log tab of a job."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.text = QPlainTextEdit()
        self.text.setReadOnly(True)
        self.text.setAccessibleName("Log")
        self.text.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.text.setPlaceholderText("The job has not written anything yet.")
        self.text.setFrameShape(QPlainTextEdit.Shape.NoFrame)
        self.text.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self.search = QLineEdit()
        self.search.setPlaceholderText("Find in log")
        self.search.setClearButtonEnabled(True)
        self.search.setAccessibleName("Find in log")
        self.search.setToolTip("Enter goes to the next place, Shift+Enter to the one before")
        self.found = QLabel()
        self.found.setProperty("role", "caption")
        self.follow = QCheckBox("Follow")
        self.follow.setChecked(True)
        self.follow.setToolTip("Stay at the last line as new ones arrive")
        self.copy = QPushButton("Copy")
        self.copy.setAccessibleName("Copy the log")
        bar = QHBoxLayout()
        bar.setSpacing(12)
        bar.addWidget(self.search, 1)
        bar.addWidget(self.found)
        bar.addWidget(self.follow)
        bar.addWidget(self.copy)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addLayout(bar)
        layout.addWidget(self.text, 1)
        self._lines: list[str] = []
        self.search.textChanged.connect(self._mark)
        self.search.installEventFilter(self)
        self.copy.clicked.connect(self.copy_all)
        self.follow.toggled.connect(self._follow_now)
        self.text.verticalScrollBar().actionTriggered.connect(self._scrolled)

    def set_lines(self, lines: list[str]) -> None:
        """Show these lines; where they go on from what is shown, only the new ones are added."""
        if lines == self._lines:
            return
        added = _continuation(self._lines, lines)
        bar = self.text.verticalScrollBar()
        kept = bar.value()
        if added is None:
            self.text.setPlainText("\n".join(lines))
        else:
            for line in added:
                self.text.appendPlainText(line)
        self._lines = list(lines)
        if self.follow.isChecked():
            bar.setValue(bar.maximum())
        else:
            bar.setValue(kept)
        if self.search.text():
            self._mark(self.search.text())

    def copy_all(self) -> None:
        """Copy what is selected, else all lines."""
        selected = self.text.textCursor().selectedText().replace("\u2029", "\n")
        QGuiApplication.clipboard().setText(selected or "\n".join(self._lines))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Enter in the search field goes on to the next place, with Shift back."""
        pressed = watched is self.search and event.type() == QEvent.Type.KeyPress
        enter = (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if pressed and isinstance(event, QKeyEvent) and event.key() in enter:
            self._find(back=bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier))
            return True
        return super().eventFilter(watched, event)

    def _find(self, *, back: bool) -> None:
        self.follow.setChecked(False)
        flag = QTextDocument.FindFlag.FindBackward if back else QTextDocument.FindFlag(0)
        if not self.text.find(self.search.text(), flag):
            end = QTextCursor.MoveOperation.End if back else QTextCursor.MoveOperation.Start
            self.text.moveCursor(end)
            self.text.find(self.search.text(), flag)

    def _mark(self, wanted: str) -> None:
        marks: list[QTextEdit.ExtraSelection] = []
        cursor = QTextCursor(self.text.document())
        look = QTextCharFormat()
        colour = self.palette().color(self.palette().ColorRole.Accent)
        colour.setAlphaF(0.35)
        look.setBackground(colour)
        while wanted and len(marks) < _MOST_MARKS:
            cursor = self.text.document().find(wanted, cursor)
            if cursor.isNull():
                break
            mark = QTextEdit.ExtraSelection()
            mark.cursor, mark.format = cursor, look  # type: ignore[attr-defined]
            marks.append(mark)
        self.text.setExtraSelections(marks)
        self.found.setText(f"{len(marks)} found" if wanted else "")

    def _follow_now(self, on: bool) -> None:
        if on:
            self.text.verticalScrollBar().setValue(self.text.verticalScrollBar().maximum())

    def _scrolled(self) -> None:
        bar = self.text.verticalScrollBar()
        self.follow.setChecked(bar.sliderPosition() >= bar.maximum())


def _continuation(old: list[str], new: list[str]) -> list[str] | None:
    """The lines that were added to the end of `old`; None where `new` does not go on from it."""
    if old and len(new) > len(old) and new[: len(old)] == old:
        return new[len(old) :]
    return None
