"""A tile: one big figure with what it is above and a remark below."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QLabel, QSizePolicy, QVBoxLayout, QWidget

from ui.widgets.card import restyle
from ui.widgets.elided_label import ElidedLabel


class Tile(QFrame):
    """One figure of a job."""

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("card", "true")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._title = QLabel(title)
        self._title.setProperty("role", "caption")
        self._figure = QLabel("—")
        self._figure.setProperty("role", "figure")
        self._figure.setTextInteractionFlags(Qt.TextInteractionFlag.NoTextInteraction)
        self._remark = ElidedLabel("")
        self._remark.setProperty("role", "caption")
        for label in (self._title, self._figure, self._remark):
            # A long remark is cut off by the tile and not the other way round.
            label.setMinimumWidth(0)
            label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 12, 12, 12)
        layout.setSpacing(2)
        layout.addWidget(self._title)
        layout.addWidget(self._figure)
        layout.addWidget(self._remark)

    def show_figure(self, figure: str, remark: str = "", title: str = "") -> None:
        """Show a figure with its unit, a remark, and another title where one is given."""
        if title:
            _set(self._title, title)
        _set(self._figure, figure)
        _set(self._remark, remark)
        self._fit()
        self.setToolTip(remark)
        self.setAccessibleName(f"{self._title.text()}: {figure}. {remark}".strip())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        """A figure with a long unit is smaller rather than cut off: without its end it would be another."""
        if self._figure.property("role") != "figure":
            self._figure.setProperty("role", "figure")
            restyle(self._figure)
        self._figure.ensurePolished()
        self._figure.setFixedHeight(max(self._figure.minimumHeight(), self._figure.sizeHint().height()))
        room = self.width() - self.layout().contentsMargins().left() - self.layout().contentsMargins().right()
        if self._figure.fontMetrics().horizontalAdvance(self._figure.text()) > room:
            self._figure.setProperty("role", "section")
            restyle(self._figure)


def _set(label: QLabel, text: str) -> None:
    if label.text() != text:
        label.setText(text)
