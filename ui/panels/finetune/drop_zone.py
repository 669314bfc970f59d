"""Where a dataset begins: a dashed ground to drop files on, with two buttons that do without a mouse."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from ui.icons import pixmap
from ui.theme import Theme
from ui.widgets.card import label

_SIGN = 36
_RADIUS = 10


class DropZone(QWidget):
    """Shown while there is no file. The drop itself is taken by the panel around it, which is larger.

    Signals:
        add_wanted: Files are to be chosen in a dialog.
        sample_wanted: The dataset that came with Tenfold is to be used.
    """

    add_wanted = Signal()
    sample_wanted = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._hovered = False
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self._sign = QLabel()
        self._sign.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self._title = label("Drop examples here", "section")
        self._title.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        words = label(
            "JSONL, JSON, CSV, Parquet or text. A row is a conversation, a prompt and its answer, "
            "an instruction, two answers of which one is better, or plain text.",
            "second",
            wrap=True,
        )
        words.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        words.setMinimumHeight(54)
        self.add = QPushButton("Add files…")
        self.add.setProperty("variant", "primary")
        self.add.clicked.connect(self.add_wanted)
        self.sample = QPushButton("Use the sample dataset")
        self.sample.setToolTip("300 rows that teach something checkable which the model cannot do yet")
        self.sample.clicked.connect(self.sample_wanted)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        buttons.addStretch(1)
        buttons.addWidget(self.add)
        buttons.addWidget(self.sample)
        buttons.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 24, 24, 24)
        column.setSpacing(10)
        column.addStretch(2)
        column.addWidget(self._sign)
        column.addWidget(self._title)
        column.addWidget(words)
        column.addSpacing(6)
        column.addLayout(buttons)
        column.addStretch(3)
        theme.changed.connect(self._draw_sign)
        self._draw_sign()

    def set_hovered(self, hovered: bool) -> None:
        """Files are held over the panel, or no longer."""
        if hovered != self._hovered:
            self._hovered = hovered
            self._title.setText("Let go to add them" if hovered else "Drop examples here")
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        tokens = self._theme.tokens
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        pen = QPen(QColor(tokens.accent if self._hovered else tokens.faint), 1.5, Qt.PenStyle.DashLine)
        painter.setPen(pen)
        painter.setBrush(QColor(tokens.accent_soft) if self._hovered else Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), _RADIUS, _RADIUS)

    def _draw_sign(self) -> None:
        self._sign.setPixmap(pixmap("attach", self._theme.tokens.accent, _SIGN, self.devicePixelRatioF()))
        self.update()
