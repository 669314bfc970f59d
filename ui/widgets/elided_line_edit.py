"""A field whose long text has dots in its middle while nobody writes in it."""

from __future__ import annotations

from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QLineEdit, QStyle, QStyleOptionFrame

#: What Qt leaves free on each side of the text, in pixels.
_QT_MARGIN = 2


class ElidedLineEdit(QLineEdit):
    """See the module. Of a model's name beginning and end say most, and Qt would show the beginning alone."""

    def shown_text(self) -> str:
        """The text as it is drawn."""
        if self.hasFocus():
            return self.text()
        return self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideMiddle, self._room().width())

    def paintEvent(self, event: QPaintEvent) -> None:
        shown = self.shown_text()
        if shown == self.text():
            super().paintEvent(event)
            return
        painter = QPainter(self)
        painter.setPen(self.palette().text().color())
        painter.drawText(self._room(), Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, shown)

    def _room(self) -> QRect:
        option = QStyleOptionFrame()
        self.initStyleOption(option)
        whole = self.style().subElementRect(QStyle.SubElement.SE_LineEditContents, option, self)
        return whole.marginsRemoved(self.textMargins()).adjusted(_QT_MARGIN, 0, -_QT_MARGIN, 0)
