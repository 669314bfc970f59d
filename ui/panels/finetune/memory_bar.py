"""What a run would take of a memory: what is in use, what it adds, and what stays free."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from ui import format
from ui.theme import Theme

_HEIGHT = 10


class MemoryBar(QWidget):
    """Grey for what is in use, the accent for what would be added; red where that is more than is free."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._need, self._free, self._total = 0, 0, 1
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(_HEIGHT)
        self.setAccessibleName("Memory of a run")
        theme.changed.connect(self.update)

    def show_need(self, need_bytes: int, free_bytes: int, total_bytes: int) -> None:
        """Show what a run needs beside what is free and what there is."""
        self._need, self._free, self._total = need_bytes, free_bytes, max(total_bytes, 1)
        told = (
            f"needs {format.bytes(need_bytes)}; {format.bytes(free_bytes)} of "
            f"{format.bytes(total_bytes)} are free"
        )
        self.setAccessibleDescription(told)
        self.setToolTip(told[:1].upper() + told[1:])
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(160, _HEIGHT)

    def paintEvent(self, event: QPaintEvent) -> None:
        tokens = self._theme.tokens
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        whole = QRectF(self.rect())
        shape = QPainterPath()
        shape.addRoundedRect(whole, _HEIGHT / 2, _HEIGHT / 2)
        painter.setClipPath(shape)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.fillRect(whole, QColor(tokens.line))
        used = max(self._total - self._free, 0) / self._total * whole.width()
        needed = self._need / self._total * whole.width()
        painter.fillRect(QRectF(0, 0, used, _HEIGHT), QColor(tokens.faint))
        fits = self._need <= self._free
        left = used + 1 if fits else max(min(used + 1, whole.width() - needed), 0.0)
        painter.fillRect(
            QRectF(left, 0, max(needed, 3.0), _HEIGHT), QColor(tokens.accent if fits else tokens.bad)
        )
