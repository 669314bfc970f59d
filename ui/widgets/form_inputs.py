"""Inputs of a form that leave the mouse wheel to the page that scrolls."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPalette, QPen, QWheelEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QSizePolicy,
    QSpinBox,
    QStyle,
    QStyleOptionComboBox,
    QStylePainter,
    QWidget,
)

#: Beyond this a spin box is no use; Qt's own limit is that of a 32-bit integer.
INT_LIMIT = 2**31 - 1


class CalmSpinBox(QSpinBox):
    """A spin box whose value never changes because a page was scrolled over it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setGroupSeparatorShown(False)
        _indent(self)
        self.setKeyboardTracking(True)

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()


class CalmDoubleSpinBox(QDoubleSpinBox):
    """The same for decimal numbers; shows as many places as the value needs, not trailing zeros."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setDecimals(10)
        _indent(self)

    def textFromValue(self, value: float) -> str:
        return self.locale().toString(value, "g", 10)

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()


def _indent(box: QSpinBox | QDoubleSpinBox) -> None:
    """Leave room before the figure: a style sheet's padding does not reach the field inside a spin box."""
    box.lineEdit().setTextMargins(8, 0, 0, 0)


class CalmComboBox(QComboBox):
    """A combo box whose choice never changes because a page was scrolled over it; a long one ends in dots."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(12)

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QStylePainter(self)
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        room = self.style().subControlRect(
            QStyle.ComplexControl.CC_ComboBox, option, QStyle.SubControl.SC_ComboBoxEditField, self
        )
        # Qt cuts a text that is too long off in the middle of a letter.
        option.currentText = self.fontMetrics().elidedText(
            option.currentText, Qt.TextElideMode.ElideMiddle, room.width() - 4
        )
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)


class Switch(QCheckBox):
    """A check box drawn as a switch: a knob at the right end, in the accent colour, means on."""

    _TRACK = QSize(36, 20)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        return self._TRACK + QSize(6, 6)

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def hitButton(self, position: object) -> bool:
        return self.rect().contains(position)  # type: ignore[call-overload]

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if not self.isEnabled():
            painter.setOpacity(0.45)
        palette = self.palette()
        track = QRectF(3.5, 3.5, self._TRACK.width() - 1, self._TRACK.height() - 1)
        on = self.isChecked()
        accent = palette.color(QPalette.ColorRole.Highlight)
        muted = palette.color(QPalette.ColorRole.Text)
        muted.setAlphaF(0.65)
        radius = track.height() / 2
        painter.setPen(Qt.PenStyle.NoPen if on else QPen(muted, 1.5))
        painter.setBrush(self._accent() if on else Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(track, radius, radius)
        knob = track.height() - 7
        left = track.right() - knob - 3.5 if on else track.left() + 3.5
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor("white") if on else muted)
        painter.drawEllipse(QRectF(left, track.top() + 3.5, knob, knob))
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(accent, 1.5))
            painter.drawRoundedRect(track.adjusted(-2.5, -2.5, 2.5, 2.5), radius + 2.5, radius + 2.5)
        painter.end()

    def _accent(self) -> QColor:
        return self.palette().color(QPalette.ColorRole.Accent)


class OptionalInput(QWidget):
    """An input that may be left alone: a switch beside it says whether it is set at all."""

    toggled = Signal(bool)

    def __init__(self, inner: QWidget, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.inner = inner
        self.check = QCheckBox("Set")
        self.check.setAccessibleName(f"Set {title}")
        self.check.setAccessibleDescription("Off: the value is left to the operation")
        self.check.setToolTip("Off: the value is left to the operation")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(12)
        layout.addWidget(self.check)
        layout.addWidget(inner, 1)
        inner.setEnabled(False)
        self.check.toggled.connect(self._follow)
        self.setFocusProxy(self.check)

    def is_set(self) -> bool:
        return self.check.isChecked()

    def set_set(self, is_set: bool) -> None:
        self.check.setChecked(is_set)

    def _follow(self, on: bool) -> None:
        self.inner.setEnabled(on)
        self.check.setText("Set" if on else "Not set")
        self.toggled.emit(on)
