"""The three steps of a fine-tuning as large tabs, each with a word on how it stands."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QPushButton, QSizePolicy, QWidget

from ui.icons import pixmap
from ui.theme import Theme

_HEIGHT = 54
_CIRCLE = 24
_SIGN = 14


@dataclass(frozen=True, slots=True)
class StepState:
    """How a step stands.

    Attributes:
        line: A few words under its title.
        sign: `done`, `warn`, `bad`, `busy`, or empty for its number.
    """

    line: str
    sign: str = ""


class StepBar(QWidget):
    """One step is current; arrow keys go from one to the next.

    Signals:
        chosen: A step was chosen; carries its place from 0.
    """

    chosen = Signal(int)

    def __init__(self, theme: Theme, titles: tuple[str, ...], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Steps")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        self._group = QButtonGroup(self)
        self.steps: list[StepButton] = []
        for place, title in enumerate(titles):
            step = StepButton(theme, place + 1, title)
            self._group.addButton(step, place)
            self.steps.append(step)
            row.addWidget(step, 1)
        self._group.idToggled.connect(lambda place, on: self.chosen.emit(place) if on else None)
        self.steps[0].setChecked(True)

    @property
    def current(self) -> int:
        return self._group.checkedId()

    def choose(self, place: int) -> None:
        self.steps[place].setChecked(True)

    def show_state(self, place: int, state: StepState) -> None:
        self.steps[place].show_state(state)


class StepButton(QPushButton):
    """A number (or a sign), a title, and a line."""

    def __init__(self, theme: Theme, number: int, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._number = number
        self._state = StepState("")
        self._title = QFont(self.font())
        self._title.setPixelSize(13)
        self._title.setWeight(QFont.Weight.DemiBold)
        self._line = QFont(self.font())
        self._line.setPixelSize(12)
        self._line.setFeature(QFont.Tag("tnum"), 1)
        self.setText(title)
        self.setCheckable(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(_HEIGHT)
        self.setMinimumWidth(120)
        self.setToolTip(f"{title} (Alt+{number})")
        theme.changed.connect(self.update)

    @property
    def state(self) -> StepState:
        return self._state

    def show_state(self, state: StepState) -> None:
        if state != self._state:
            self._state = state
            self.setAccessibleDescription(state.line)
            self.update()

    def sizeHint(self) -> QSize:
        return QSize(180, _HEIGHT)

    def paintEvent(self, event: QPaintEvent) -> None:
        tokens = self._theme.tokens
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        on = self.isChecked()
        edge = QColor(
            tokens.accent if on or self.hasFocus() else tokens.faint if self.underMouse() else tokens.line
        )
        width = 2.0 if self.hasFocus() else 1.0
        painter.setPen(QPen(edge, width))
        painter.setBrush(QColor(tokens.accent_soft if on else tokens.card))
        painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5) if width > 1 else box, 10, 10)
        self._paint_sign(painter, QRectF(14, (_HEIGHT - _CIRCLE) / 2, _CIRCLE, _CIRCLE), on=on)
        left = 14 + _CIRCLE + 10
        room = self.width() - left - 10
        align = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        painter.setFont(self._title)
        painter.setPen(QColor(tokens.text))
        has_line = bool(self._state.line)
        top = 8 if has_line else (_HEIGHT - 20) / 2
        painter.drawText(QRectF(left, top, room, 20), align, self.text())
        if has_line:
            tone = {"bad": tokens.bad, "warn": tokens.warn}.get(self._state.sign, tokens.second)
            painter.setFont(self._line)
            painter.setPen(QColor(tone))
            text = QFontMetrics(self._line).elidedText(
                self._state.line, Qt.TextElideMode.ElideRight, int(room)
            )
            painter.drawText(QRectF(left, 28, room, 18), align, text)

    def _paint_sign(self, painter: QPainter, circle: QRectF, *, on: bool) -> None:
        tokens = self._theme.tokens
        sign = self._state.sign
        colours = {"done": tokens.good, "warn": tokens.warn, "bad": tokens.bad, "busy": tokens.accent}
        colour = QColor(colours.get(sign, tokens.accent if on else tokens.second))
        painter.setPen(QPen(colour, 1.5))
        painter.setBrush(colour if sign in colours else Qt.BrushStyle.NoBrush)
        painter.drawEllipse(circle.adjusted(1, 1, -1, -1))
        if sign in colours:
            name = {"done": "check", "warn": "minus", "bad": "close", "busy": "play"}[sign]
            picture = pixmap(name, tokens.on_accent, _SIGN, self.devicePixelRatioF())
            painter.drawPixmap(circle.center() - QPointF(_SIGN / 2, _SIGN / 2), picture)
            return
        painter.setFont(self._title)
        painter.setPen(colour)
        painter.drawText(circle, int(Qt.AlignmentFlag.AlignCenter), str(self._number))
