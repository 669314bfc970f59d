"""Paints what the rows of all lists have in common: their ground, and the dot of a state."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen
from PySide6.QtWidgets import QStyle

from ui.tokens import Tokens


def paint_ground(painter: QPainter, box: QRect, state: QStyle.StateFlag, tokens: Tokens) -> None:
    """The ground of a row that is chosen or under the pointer, and the ring of one that keys reach."""
    painter.setPen(Qt.PenStyle.NoPen)
    if state & QStyle.StateFlag.State_Selected:
        painter.setBrush(QColor(tokens.accent_soft))
        painter.drawRoundedRect(box, 8, 8)
    elif state & QStyle.StateFlag.State_MouseOver:
        painter.setBrush(QColor(tokens.raised))
        painter.drawRoundedRect(box, 8, 8)
    if state & QStyle.StateFlag.State_HasFocus and state & QStyle.StateFlag.State_KeyboardFocusChange:
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(QColor(tokens.accent), 1.5))
        painter.drawRoundedRect(QRectF(box).adjusted(1, 1, -1, -1), 8, 8)


def paint_dot(painter: QPainter, box: QRect, colour: QColor, *, hollow: bool) -> None:
    """The dot at the left of a row; hollow where nothing is at work or has come of it."""
    centre = QPointF(box.left() + 18, box.center().y() + 0.5)
    if hollow:
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(colour, 1.6))
        painter.drawEllipse(centre, 4.2, 4.2)
        return
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour)
    painter.drawEllipse(centre, 5, 5)
