"""A heading that breaks anywhere, over a few lines at most: model names are long and have no spaces."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QSize, Qt
from PySide6.QtGui import QFont, QFontMetricsF, QPainter, QPaintEvent, QResizeEvent, QTextLayout, QTextOption
from PySide6.QtWidgets import QSizePolicy, QWidget


class WrappedTitle(QWidget):
    """Shows text on up to `lines` lines; what is beyond them stands in the tooltip."""

    def __init__(self, *, pixels: int = 15, lines: int = 3, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._text = ""
        self._lines = lines
        self._pixels = pixels
        policy = QSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    @property
    def text(self) -> str:
        return self._text

    def set_text(self, text: str) -> None:
        self._text = text
        self.setToolTip(text)
        self.setAccessibleName(text)
        self._fit_height()
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(200, self._height(self.width() or 200))

    def minimumSizeHint(self) -> QSize:
        return QSize(40, self._height(self.width() or 200))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self._fit_height()

    def paintEvent(self, event: QPaintEvent) -> None:
        font = self._font()
        metrics = QFontMetricsF(font)
        painter = QPainter(self)
        painter.setPen(self.palette().color(self.foregroundRole()))
        painter.setFont(font)
        layout, shown = self._laid_out(self.width())
        for place in range(shown):
            line = layout.lineAt(place)
            if place == shown - 1 and layout.lineCount() > shown:
                rest = self._text[line.textStart() :]
                text = metrics.elidedText(rest, Qt.TextElideMode.ElideMiddle, self.width())
                painter.drawText(QPointF(0, line.y() + metrics.ascent()), text)
            else:
                line.draw(painter, QPointF(0, 0))

    def _font(self) -> QFont:
        font = QFont(self.font())
        font.setPixelSize(self._pixels)
        font.setWeight(QFont.Weight.DemiBold)
        return font

    def _laid_out(self, width: int) -> tuple[QTextLayout, int]:
        option = QTextOption()
        option.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        layout = QTextLayout(self._text, self._font())
        layout.setTextOption(option)
        layout.beginLayout()
        height = 0.0
        while (line := layout.createLine()).isValid():
            line.setLineWidth(width)
            line.setPosition(QPointF(0, height))
            height += line.height()
        layout.endLayout()
        return layout, min(layout.lineCount(), self._lines)

    def _height(self, width: int) -> int:
        layout, shown = self._laid_out(max(width, 1))
        return round(sum(layout.lineAt(place).height() for place in range(shown))) + 1

    def _fit_height(self) -> None:
        self.setFixedHeight(self._height(self.width()))
