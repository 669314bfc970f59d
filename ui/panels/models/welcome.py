"""The first start: no model is there yet, and four ways lead to one."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from ui.icons import icon
from ui.theme import Theme

_WAYS = (
    (
        "sample",
        "Try the sample model",
        "SmolLM2 with 135 million parameters, 98 MB. It came with Tenfold.",
        "spark",
    ),
    (
        "scan",
        "Find on this computer",
        "What Hugging Face, LM Studio and Ollama hold already. Nothing is copied.",
        "search",
    ),
    (
        "file",
        "Open a file or folder",
        "A GGUF file, or a folder with safetensors. Dropping it here works too.",
        "folder",
    ),
    (
        "hub",
        "Get one from the hub",
        "Search Hugging Face. This is the only way here that needs the network.",
        "download",
    ),
)


class Welcome(QWidget):
    """Four large buttons.

    Signals:
        way_chosen: `sample`, `scan`, `file` or `hub`.
    """

    way_chosen = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.buttons: dict[str, QPushButton] = {}
        title = QLabel("Bring a model to begin", self)
        title.setProperty("role", "title")
        title.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        text = QLabel(
            "Tenfold makes it smaller and faster on this machine, and shows what each step gained "
            "and what it cost.",
            self,
        )
        text.setProperty("role", "second")
        text.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        text.setWordWrap(True)
        grid = QGridLayout()
        grid.setSpacing(14)
        for place, (name, heading, words, sign) in enumerate(_WAYS):
            button = _Way(theme, heading, words, sign, primary=place == 0, parent=self)
            button.clicked.connect(lambda _checked=False, name=name: self.way_chosen.emit(name))
            self.buttons[name] = button
            grid.addWidget(button, place // 2, place % 2)
        middle = QVBoxLayout()
        middle.setSpacing(8)
        middle.addStretch(2)
        middle.addWidget(title)
        middle.addWidget(text)
        middle.addSpacing(22)
        middle.addLayout(grid)
        middle.addStretch(3)
        line = QHBoxLayout(self)
        line.addStretch(1)
        line.addLayout(middle)
        line.addStretch(1)


class _Way(QPushButton):
    """A button with a sign, a heading and a sentence."""

    def __init__(
        self, theme: Theme, heading: str, words: str, sign: str, *, primary: bool, parent: QWidget
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self._sign_name = sign
        self._primary = primary
        self.setProperty("way", "true")
        self.setAccessibleName(heading)
        self.setAccessibleDescription(words)
        self.setFixedSize(QSize(320, 108))
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self._sign = QLabel(self)
        self._sign.setFixedSize(24, 24)
        self._title = QLabel(heading, self)
        self._title.setProperty("role", "section")
        self._text = QLabel(words, self)
        self._text.setProperty("role", "second")
        self._text.setWordWrap(True)
        for label in (self._sign, self._title, self._text):
            label.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        column = QVBoxLayout()
        column.setSpacing(4)
        column.addWidget(self._title)
        column.addWidget(self._text)
        column.addStretch(1)
        line = QHBoxLayout(self)
        line.setContentsMargins(18, 16, 16, 12)
        line.setSpacing(14)
        line.addWidget(self._sign, 0, Qt.AlignmentFlag.AlignTop)
        line.addLayout(column, 1)
        theme.changed.connect(self._dress)
        self._dress()

    def _dress(self) -> None:
        tokens = self._theme.tokens
        colour = tokens.accent if self._primary else tokens.second
        self._sign.setPixmap(icon(self._sign_name, colour).pixmap(24, 24))
        edge = tokens.accent if self._primary else tokens.line
        self.setStyleSheet(
            f"QPushButton {{ background: {tokens.card}; border: 1px solid {edge}; border-radius: 10px; }}"
            f"QPushButton:hover {{ background: {tokens.raised}; }}"
            f"QPushButton:focus {{ border: 2px solid {tokens.accent}; }}"
            "QLabel { background: transparent; border: none; }"
        )
