"""Exactly the tokens that a model is shown: what is learned, what is only seen, and what is cut off."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from PySide6.QtCore import QEvent, QPoint, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontDatabase,
    QHelpEvent,
    QTextCharFormat,
    QTextCursor,
    QTextOption,
)
from PySide6.QtWidgets import QTextEdit, QToolTip, QWidget

from ui.theme import Theme, Tokens
from workbench.data.preview import PreviewToken

_PIXELS = 13
#: Signs for what can't be seen; a line break follows its sign.
_SIGNS = str.maketrans({"\n": "↵\n", "\t": "⇥\t", "\r": "␍", "\0": "␀"})


class TokenView(QTextEdit):
    """Token after token on grounds that alternate, so that every border shows.

    What is learned stands on the accent's ground, what is only seen is grey, what is cut off is struck
    through. A token under the mouse tells its number, its id and which of the three it is; so does the one
    at the cursor, which the arrow keys move.

    Signals:
        pointed: The cursor is at a token; carries what there is to tell of it.
    """

    pointed = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._tokens: Sequence[PreviewToken] = ()
        self._ends: list[int] = []
        self.setReadOnly(True)
        self.setTabChangesFocus(True)
        self.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self.setWordWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName("Tokens of the example")
        font = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
        font.setPixelSize(_PIXELS)
        self.setFont(font)
        theme.changed.connect(self._draw)
        self.cursorPositionChanged.connect(self._tell_place)

    def show_tokens(self, tokens: Sequence[PreviewToken]) -> None:
        """Show one sequence."""
        if tokens == self._tokens:
            return
        self._tokens = tokens
        self._draw()
        self.verticalScrollBar().setValue(0)

    def token_at(self, where: QPoint) -> int | None:
        """The number of the token under a point of the viewport."""
        position = self.cursorForPosition(where).position()
        number = bisect_right(self._ends, position)
        return number if number < len(self._tokens) else None

    def viewportEvent(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            number = self.token_at(event.pos())
            text = "" if number is None else told(number, self._tokens[number])
            QToolTip.showText(event.globalPos(), text, self)
            return True
        return super().viewportEvent(event)

    def _tell_place(self) -> None:
        number = bisect_right(self._ends, self.textCursor().position())
        if self.hasFocus() and number < len(self._tokens):
            self.pointed.emit(told(number, self._tokens[number]).replace("\n", " · "))

    def _draw(self) -> None:
        looks = token_looks(self._theme.tokens)
        self.clear()
        self._ends = []
        cursor = QTextCursor(self.document())
        cursor.beginEditBlock()
        position = 0
        for number, token in enumerate(self._tokens):
            shown = shown_text(token.text)
            cursor.insertText(shown, looks[_side(token)][number % 2])
            # Qt counts in units of UTF-16, in which an emoji takes two.
            position += len(shown.encode("utf-16-le")) // 2
            self._ends.append(position)
        cursor.endEditBlock()
        learned = sum(token.trained and not token.cut for token in self._tokens)
        cut = sum(token.cut for token in self._tokens)
        off = f", {cut} cut off" if cut else ""
        self.setAccessibleDescription(f"{len(self._tokens)} tokens, {learned} learned{off}")


def told(number: int, token: PreviewToken) -> str:
    """A token in words, as its tooltip has it."""
    what = {"cut": "cut off", "learned": "learned", "seen": "seen, not learned"}[_side(token)]
    return f"Token {number + 1} · id {token.id} · {what}\n{token.text!r}"


def shown_text(text: str) -> str:
    """A token's text with signs for line breaks and tabs.

    >>> shown_text("a\\n")
    'a↵\\n'
    """
    return text.translate(_SIGNS)


def _side(token: PreviewToken) -> str:
    if token.cut:
        return "cut"
    return "learned" if token.trained else "seen"


def token_looks(tokens: Tokens) -> dict[str, tuple[QTextCharFormat, QTextCharFormat]]:
    """The two grounds, in turn, of each kind of token."""
    soft = QColor(tokens.accent_soft)
    deeper = QColor(tokens.accent)
    deeper.setAlphaF(0.34 if tokens.is_dark else 0.24)
    pale = QColor(tokens.second)
    pale.setAlphaF(0.13)
    none = QColor(Qt.GlobalColor.transparent)
    return {
        "learned": (_look(tokens.text, soft, bold=True), _look(tokens.text, deeper, bold=True)),
        "seen": (_look(tokens.second, none), _look(tokens.second, pale)),
        "cut": (_look(tokens.second, none, struck=True), _look(tokens.second, pale, struck=True)),
    }


def _look(text: str, ground: QColor, *, bold: bool = False, struck: bool = False) -> QTextCharFormat:
    made = QTextCharFormat()
    made.setForeground(QColor(text))
    made.setBackground(ground)
    made.setFontStrikeOut(struck)
    if bold:
        made.setFontWeight(QFont.Weight.DemiBold)
    return made
