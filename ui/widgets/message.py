"""A message in the page: what happened, what can be done, and the technical part folded away."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QFontDatabase, QGuiApplication, QPalette, QShowEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPlainTextEdit, QToolButton, QVBoxLayout, QWidget

from ui.icons import icon, pixmap
from ui.widgets.card import label, restyle

_KINDS = ("good", "warn", "bad", "info")
_DETAILS_LINES = 9


class MessageBar(QFrame):
    """Kinds: good, warn, bad, info. The kind is a sign beside the text, never the colour alone."""

    def __init__(
        self, kind: str, title: str, text: str = "", details: str = "", parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._kind = "info"
        self._sign = QLabel()
        self._sign.setFixedSize(18, 18)
        self._title = label("", "body", wrap=True)
        self._text = label("", "second", wrap=True)
        for each in (self._title, self._text):
            each.setTextFormat(Qt.TextFormat.PlainText)
            each.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._fold = QToolButton()
        self._fold.setText("Details")
        self._fold.setCheckable(True)
        self._fold.setAutoRaise(True)
        self._fold.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._fold.setAccessibleName("Show the details of this message")
        self._copy = QToolButton()
        self._copy.setText("Copy")
        self._copy.setAutoRaise(True)
        self._copy.setAccessibleName("Copy the details of this message")
        self._details = QPlainTextEdit()
        self._details.setReadOnly(True)
        self._details.setAccessibleName("Details")
        self._details.setTabChangesFocus(True)
        self._details.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        fixed = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
        fixed.setPixelSize(12)
        self._details.setFont(fixed)
        self._details.setFixedHeight(_DETAILS_LINES * self._details.fontMetrics().lineSpacing() + 20)
        self._lay_out()
        self._fold.toggled.connect(self._unfold)
        self._copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(self._details.toPlainText()))
        self.show_message(kind, title, text, details)

    @property
    def kind(self) -> str:
        return self._kind

    @property
    def details(self) -> str:
        return self._details.toPlainText()

    def show_message(self, kind: str, title: str, text: str = "", details: str = "") -> None:
        """Say something else; what was unfolded is folded again."""
        if kind not in _KINDS:
            raise ValueError(f"{kind!r} is no kind of message")
        same = details == self._details.toPlainText()
        self._kind = kind
        if self.property("message") != kind:
            self.setProperty("message", kind)
            restyle(self)
        self._title.setText(title)
        self._title.setVisible(bool(title))
        self._text.setText(text)
        self._text.setVisible(bool(text))
        if not same:
            self._details.setPlainText(details)
            self._fold.setChecked(False)
        self._fold.setVisible(bool(details))
        self._unfold(self._fold.isChecked() and bool(details))
        self.setAccessibleName(f"{kind}: {title} {text}".strip())
        self._draw_sign()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.StyleChange):
            self._draw_sign()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._draw_sign()

    def _unfold(self, on: bool) -> None:
        self._details.setVisible(on)
        self._copy.setVisible(on)
        second = self.palette().color(QPalette.ColorRole.PlaceholderText).name()
        self._fold.setIcon(icon("chevron-down" if on else "chevron-right", second))

    def _draw_sign(self) -> None:
        from ui.theme import DARK, LIGHT

        dark = self.palette().color(QPalette.ColorRole.Window).lightness() < 128
        tokens = DARK if dark else LIGHT
        colours = {"good": tokens.good, "warn": tokens.warn, "bad": tokens.bad, "info": tokens.accent}
        self._sign.setPixmap(pixmap(self._kind, colours[self._kind], 18, self.devicePixelRatioF()))

    def _lay_out(self) -> None:
        words = QVBoxLayout()
        words.setSpacing(3)
        words.addWidget(self._title)
        words.addWidget(self._text)
        tools = QHBoxLayout()
        tools.setSpacing(4)
        tools.addWidget(self._fold)
        tools.addWidget(self._copy)
        tools.addStretch(1)
        words.addLayout(tools)
        words.addWidget(self._details)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 10, 12, 10)
        row.setSpacing(10)
        row.addWidget(self._sign, 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(words, 1)
