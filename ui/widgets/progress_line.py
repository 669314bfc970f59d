"""A thin line that says how far something is."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import QSizePolicy, QWidget


class ProgressLine(QWidget):
    """Empty while nothing is known. A screen reader hears the percentage."""

    HEIGHT = 6

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._share: float | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(self.HEIGHT)
        self.setAccessibleName("Progress")

    @property
    def share(self) -> float | None:
        return self._share

    def set_share(self, share: float | None) -> None:
        """Show a share from 0 to 1; None where none is known."""
        wanted = None if share is None else min(max(share, 0.0), 1.0)
        if wanted != self._share:
            self._share = wanted
            self.setAccessibleDescription("" if wanted is None else f"{wanted * 100:.0f} %")
            self.update()

    def sizeHint(self) -> QSize:
        return QSize(160, self.HEIGHT)

    def minimumSizeHint(self) -> QSize:
        return QSize(40, self.HEIGHT)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self.palette().color(QPalette.ColorRole.Mid))
        bar = QRectF(self.rect())
        radius = bar.height() / 2
        painter.drawRoundedRect(bar, radius, radius)
        if self._share:
            bar.setWidth(max(bar.width() * self._share, bar.height()))
            painter.setBrush(self.palette().color(QPalette.ColorRole.Accent))
            painter.drawRoundedRect(bar, radius, radius)
