"""One message of a conversation: who said it, the text, what it took, and what can be done with it."""

from __future__ import annotations

import html

from PySide6.QtCore import QSize, Qt, QTimer, QUrl, Signal
from PySide6.QtGui import QDesktopServices, QGuiApplication, QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QSizePolicy, QTextBrowser, QToolButton, QVBoxLayout

from ui import icons
from ui.markdown import MarkdownView
from ui.panels.chat.figures import figures_line
from ui.theme import Theme
from ui.widgets.card import label
from workbench.chat.conversations import Turn

#: A growing answer is drawn anew this often; more than anyone reads, less than a model of this size costs.
_DRAW_MS = 80


class MessageText(QTextBrowser):
    """The text, as high as it needs to be; the transcript scrolls, not the message."""

    def __init__(self) -> None:
        super().__init__()
        self.setOpenLinks(False)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextBrowserInteraction)
        self.setObjectName("message-text")
        self.document().setDocumentMargin(0)

    def fit(self) -> None:
        """Take the height of the text at this width."""
        self.document().setTextWidth(self.viewport().width())
        height = int(self.document().size().height()) + 4
        if height != self.height():
            self.setFixedHeight(height)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.fit()

    def minimumSizeHint(self) -> QSize:
        return QSize(120, 20)


class MessageView(QFrame):
    """See the module.

    Signals:
        edit_wanted, again_wanted: Of this turn; carries its id.
        branch_wanted: The id of a sibling to look at.
        copied: Something is in the clipboard now; carries what, in a word.
    """

    edit_wanted = Signal(int)
    again_wanted = Signal(int)
    branch_wanted = Signal(int)
    copied = Signal(str)

    def __init__(self, theme: Theme, role: str, who: str) -> None:
        super().__init__()
        self.role = role
        self.turn: Turn | None = None
        self._theme = theme
        self._text = ""
        self._markdown = MarkdownView(theme.tokens)
        self._who = label(who, "caption")
        self._body = MessageText()
        self._body.setAccessibleName(f"{who} said")
        self._body.anchorClicked.connect(self._follow)
        self._figures = label("", "caption", wrap=True)
        self._draw_soon = QTimer(self)
        self._draw_soon.setSingleShot(True)
        self._draw_soon.setInterval(_DRAW_MS)
        self._draw_soon.timeout.connect(self._draw)
        self.setProperty("message-role", role)
        if role == "user":
            self.setProperty("card", True)
        self._build()
        theme.changed.connect(self._recolour)

    @property
    def text(self) -> str:
        """What was said so far, as Markdown."""
        return self._text

    @property
    def figures_text(self) -> str:
        """What it took, as it stands under the message."""
        return self._figures.text()

    def add_text(self, text: str) -> None:
        """More has come; it is drawn with the next picture."""
        self._text += text
        if not self._draw_soon.isActive():
            self._draw_soon.start()

    def set_text(self, text: str) -> None:
        """Show this text now."""
        self._text = text
        self._draw()

    def set_figures(self, text: str) -> None:
        """What it took, as one line."""
        self._figures.setText(text)
        self._figures.setVisible(bool(text))

    def set_turn(self, turn: Turn) -> None:
        """The turn is kept now: it can be edited, answered again, and has siblings."""
        self.turn = turn
        if turn.text != self._text:
            self.set_text(turn.text)
        self.set_figures(figures_line(turn.figures))
        self._guesses.setVisible(bool(turn.figures.get("guessed")))
        several = len(turn.siblings) > 1
        for button in (self._back, self._forth):
            button.setVisible(several)
        self._place.setVisible(several)
        self._place.setText(f"{turn.place + 1} / {len(turn.siblings)}")
        self._back.setEnabled(turn.place > 0)
        self._forth.setEnabled(turn.place + 1 < len(turn.siblings))
        for button in (self._edit, self._again, self._copy):
            button.setEnabled(True)

    def fit(self) -> None:
        """Take the height of the text."""
        self._body.fit()

    def _build(self) -> None:
        self._copy = self._button("copy", "Copy this message")
        self._copy.clicked.connect(self._copy_all)
        self._edit = self._button("edit", "Edit and send again")
        self._edit.clicked.connect(lambda: self.turn and self.edit_wanted.emit(self.turn.id))
        self._again = self._button("retry", "Answer again")
        self._again.clicked.connect(lambda: self.turn and self.again_wanted.emit(self.turn.id))
        self._guesses = self._button("spark", "Colour what the draft guessed right")
        self._guesses.setCheckable(True)
        self._guesses.toggled.connect(lambda _on: self._draw())
        self._back = self._button("chevron-left", "The version before")
        self._back.clicked.connect(lambda: self._go(-1))
        self._forth = self._button("chevron-right", "The next version")
        self._forth.clicked.connect(lambda: self._go(1))
        self._place = QLabel()
        self._place.setProperty("role", "caption")
        self._edit.setVisible(self.role == "user")
        self._again.setVisible(self.role == "assistant")
        for widget in (self._back, self._forth, self._place, self._guesses):
            widget.setVisible(False)
        for button in (self._edit, self._again):
            button.setEnabled(False)
        head = QHBoxLayout()
        head.setSpacing(2)
        head.addWidget(self._who)
        head.addStretch(1)
        for widget in (
            self._back,
            self._place,
            self._forth,
            self._guesses,
            self._edit,
            self._again,
            self._copy,
        ):
            head.addWidget(widget)
        column = QVBoxLayout(self)
        inner = 14 if self.role == "user" else 0
        column.setContentsMargins(inner, 8, inner if self.role == "user" else 0, 10)
        column.setSpacing(4)
        column.addLayout(head)
        column.addWidget(self._body)
        column.addWidget(self._figures)
        self._figures.setVisible(False)
        self._recolour()

    def _button(self, icon: str, name: str) -> QToolButton:
        # With a parent from the start: shown without one it is a window for a moment, and takes the focus.
        button = QToolButton(self)
        button.setProperty("autoRaise", True)
        button.setIconSize(QSize(15, 15))
        button.setToolTip(name)
        button.setAccessibleName(name)
        button.setProperty("icon-name", icon)
        return button

    def _go(self, step: int) -> None:
        if self.turn is not None:
            place = self.turn.place + step
            if 0 <= place < len(self.turn.siblings):
                self.branch_wanted.emit(self.turn.siblings[place])

    def _draw(self) -> None:
        self._draw_soon.stop()
        coloured = self._guesses.isChecked() and self.turn is not None
        self._body.setHtml(self._coloured() if coloured else self._markdown.html(self._text))
        self._body.fit()

    def _coloured(self) -> str:
        """The text as it came, token borders and all; Markdown would move them."""
        tokens, parts, at = self._theme.tokens, [], 0
        for start, end in self.turn.figures.get("guessed", ()) if self.turn is not None else ():
            right = html.escape(self._text[start:end])
            parts.append(html.escape(self._text[at:start]))
            parts.append(
                f'<span style="background-color:{tokens.accent_soft};color:{tokens.accent}">{right}</span>'
            )
            at = end
        parts.append(html.escape(self._text[at:]))
        return f'<div style="white-space:pre-wrap">{"".join(parts)}</div>'

    def _recolour(self) -> None:
        tokens = self._theme.tokens
        self._markdown = MarkdownView(tokens)
        self._body.document().setDefaultStyleSheet(
            f"a {{ color: {tokens.accent}; }} body {{ color: {tokens.text}; }}"
        )
        for button in self.findChildren(QToolButton):
            button.setIcon(icons.icon(str(button.property("icon-name")), tokens.second))
        self._draw()

    def _copy_all(self) -> None:
        QGuiApplication.clipboard().setText(self._text)
        self.copied.emit("The message")

    def _follow(self, address: QUrl) -> None:
        if address.scheme() == "copy":
            number = int(address.path() or 0)
            if number < len(self._markdown.blocks):
                QGuiApplication.clipboard().setText(self._markdown.blocks[number])
                self.copied.emit("The code")
        elif address.scheme() in ("http", "https"):
            QDesktopServices.openUrl(address)
