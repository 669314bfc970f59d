"""What all charts of the Compare page have in common: heading, frame, keyboard, names of points, saving."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QEvent, QLineF, QPointF, QRectF, QSize, QSizeF, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QFont,
    QFontMetricsF,
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
)
from PySide6.QtWidgets import QFileDialog, QFrame, QMenu, QSizePolicy, QToolButton

from ui.icons import icon
from ui.models.compare_figures import Table
from ui.models.compare_variants import Comparison, Variant
from ui.panels.compare.drawing import font
from ui.panels.compare.export import save
from ui.panels.compare.style import Style, style_of
from ui.theme import Theme
from ui.tokens import Tokens
from workbench.errors import WorkbenchError

_LEFT, _TOP, _RIGHT, _BOTTOM = 18.0, 14.0, 18.0, 12.0
_HEADING = 24.0
#: A point is meant by a pointer that is this near, in pixels.
_REACH = 14.0
#: What is not highlighted while something is.
FADED = 0.25
_MENU = 26
#: What a chart is saved as, by the file's ending: what that is called, and its keys.
SAVING = {
    "png": ("Save picture as PNG…", "Ctrl+Shift+P"),
    "svg": ("Save picture as SVG…", "Ctrl+Shift+G"),
    "csv": ("Save figures as CSV…", "Ctrl+Shift+C"),
}
_NATIVE = QKeySequence.SequenceFormat.NativeText


@dataclass(frozen=True, slots=True)
class Mark:
    """A point that can be asked what it stands for.

    Attributes:
        variant: The place of its model in the comparison; None where that is not among them.
        text: What it says, a line to a fact.
    """

    at: QPointF
    variant: int | None
    text: str


class Chart(QFrame):
    """Draws a comparison. Left and Right go from point to point, Escape lets go, the menu key saves.

    Signals:
        highlighted: A person points at the model in this place, or at none.
        failed: It could not be saved; carries a `WorkbenchError`.
        saved: A file was written; carries its path.
    """

    highlighted = Signal(object)
    failed = Signal(object)
    saved = Signal(object)

    #: What it is called, what helps to read it, and what it says where it has nothing to draw.
    heading = ""
    note = ""
    nothing = "Nothing was measured of this."

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.comparison = Comparison()
        self.marks: list[Mark] = []
        self._current: int | None = None
        self._highlight: int | None = None
        self.setProperty("card", "true")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName(f"Chart: {self.heading}")
        self._make_menu()
        theme.changed.connect(self._recolour)
        self._recolour()

    # ------------------------------------------------------------------ what a chart draws

    def paint_inside(self, painter: QPainter, box: QRectF, tokens: Tokens) -> list[Mark]:
        """Draw below the heading; return what can be pointed at, in the order of the arrow keys."""
        raise NotImplementedError

    def table(self) -> Table:
        """The figures behind the drawing, in full."""
        raise NotImplementedError

    def has_anything(self) -> bool:
        """Whether there is anything to draw."""
        return len(self.table().rows) > 0

    # ------------------------------------------------------------------ showing

    def show_comparison(self, comparison: Comparison) -> None:
        self.comparison = comparison
        self._current = self._highlight = None
        self._look_anew()

    def highlight(self, variant: int | None) -> None:
        """Bring out one model; the others fade."""
        if variant != self._highlight:
            self._highlight = variant
            self.update()

    def draw(self, painter: QPainter, size: QSizeF, tokens: Tokens) -> list[Mark]:
        """Draw the whole chart, here or into a file."""
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        room = QRectF(_LEFT, _TOP, size.width() - _LEFT - _RIGHT - _MENU, _HEADING)
        painter.setFont(font(15, QFont.Weight.DemiBold))
        painter.setPen(QColor(tokens.text))
        metrics = QFontMetricsF(painter.font())
        heading = metrics.elidedText(self.heading, Qt.TextElideMode.ElideRight, room.width())
        painter.drawText(room, int(Qt.AlignmentFlag.AlignVCenter), heading)
        taken = metrics.horizontalAdvance(heading) + 16
        painter.setFont(font(12))
        painter.setPen(QColor(tokens.second))
        note = QFontMetricsF(painter.font()).elidedText(
            self.note, Qt.TextElideMode.ElideRight, max(room.width() - taken, 0)
        )
        painter.drawText(room, int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight), note)
        top = _TOP + _HEADING + 8
        box = QRectF(_LEFT, top, size.width() - _LEFT - _RIGHT, size.height() - top - _BOTTOM)
        if self.has_anything():
            return self.paint_inside(painter, box, tokens)
        painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap), self.nothing)
        return []

    def style_of(self, place: int) -> Style:
        variant = self.comparison.variants[place]
        return style_of(place, is_reference=variant.is_reference, tokens=self._theme.tokens)

    def strength(self, place: int) -> float:
        """How strongly a model is drawn."""
        return 1.0 if self._highlight in (None, place) else FADED

    def present(self) -> list[tuple[int, Variant]]:
        """The models with their places."""
        return list(enumerate(self.comparison.variants))

    # ------------------------------------------------------------------ hands

    def current_text(self) -> str:
        """What the point says that the keyboard is on; empty where it is on none."""
        return self.marks[self._current].text if self._current is not None else ""

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(Qt.Key(event.key()))
        if step is not None and self.marks:
            at = self._current if self._current is not None else (-1 if step > 0 else 0)
            self._go_to((at + step) % len(self.marks))
        elif event.key() == Qt.Key.Key_Escape and self._current is not None:
            self._go_to(None)
        else:
            super().keyPressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        near = [
            (QLineF(event.position(), mark.at).length(), number) for number, mark in enumerate(self.marks)
        ]
        distance, number = min(near, default=(_REACH, 0))
        self._go_to(number if distance < _REACH else None)

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._go_to(None)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        self._menu.popup(event.globalPos())

    def _go_to(self, number: int | None) -> None:
        if number == self._current:
            return
        self._current = number
        self._describe()
        self.highlighted.emit(self.marks[number].variant if number is not None else None)
        self.update()

    # ------------------------------------------------------------------ painting

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        painter = QPainter(self)
        self.marks = self.draw(painter, QSizeF(self.size()), self._theme.tokens)
        if self._current is not None and self._current < len(self.marks):
            self._paint_bubble(painter, self.marks[self._current])
        if self.hasFocus():
            painter.setPen(QPen(QColor(self._theme.tokens.accent), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), 10, 10)

    def _paint_bubble(self, painter: QPainter, mark: Mark) -> None:
        tokens = self._theme.tokens
        painter.setFont(font(12))
        metrics = QFontMetricsF(painter.font())
        lines = mark.text.split("\n")
        most = self.width() - 40.0
        width = min(max(metrics.horizontalAdvance(line) for line in lines), most) + 20
        height = len(lines) * metrics.lineSpacing() + 12
        x = mark.at.x() + 12 if mark.at.x() + 12 + width < self.width() - 6 else mark.at.x() - 12 - width
        y = mark.at.y() - height / 2
        x = min(max(x, 6.0), self.width() - width - 6)
        y = min(max(y, 6.0), self.height() - height - 6)
        bubble = QRectF(x, y, width, height)
        painter.setPen(QPen(QColor(tokens.line), 1))
        painter.setBrush(QColor(tokens.raised))
        painter.drawRoundedRect(bubble, 7, 7)
        painter.setPen(QColor(tokens.text))
        for number, line in enumerate(lines):
            top = bubble.top() + 6 + number * metrics.lineSpacing()
            text = metrics.elidedText(line, Qt.TextElideMode.ElideMiddle, width - 20)
            if number:
                painter.setPen(QColor(tokens.second))
            painter.drawText(
                QRectF(x + 10, top, width - 20, metrics.lineSpacing()), Qt.AlignmentFlag.AlignVCenter, text
            )

    def sizeHint(self) -> QSize:
        return QSize(460, 320)

    def minimumSizeHint(self) -> QSize:
        return QSize(300, 320)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._more.move(self.width() - self._more.width() - 10, 11)

    def _look_anew(self) -> None:
        self.marks = []
        self._describe()
        self.update()

    def _describe(self) -> None:
        told = self.current_text().replace("\n", ", ")
        self.setAccessibleDescription(told or self.summary())

    def summary(self) -> str:
        """What a screen reader says of the whole chart."""
        if not self.has_anything():
            return self.nothing
        return f"{self.note}. Left and Right go from point to point."

    def _recolour(self) -> None:
        self._more.setIcon(icon("more", self._theme.tokens.second))
        self.update()

    # ------------------------------------------------------------------ saving

    def save_to(self, path: Path) -> None:
        """Save the picture or the figures; the file's ending says which: .png, .svg or .csv."""
        try:
            save(self, path, self._theme.tokens)
        except WorkbenchError as error:
            self.failed.emit(error)
            return
        self.saved.emit(path)

    @property
    def file_stem(self) -> str:
        return self.heading.lower().replace(" ", "-")

    def _make_menu(self) -> None:
        self._menu = QMenu(self)
        self._more = QToolButton(self)
        self._more.setAutoRaise(True)
        self._more.setFixedSize(32, 28)
        self._more.setAccessibleName(f"Save the chart {self.heading}")
        self._more.setToolTip("Save this chart")
        self._more.setMenu(self._menu)
        self._more.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        for ending, (text, keys) in SAVING.items():
            # The keys belong to the page, where they are listed; here they are only told.
            action = self._menu.addAction(f"{text}\t{QKeySequence(keys).toString(_NATIVE)}")
            action.triggered.connect(lambda _on=False, ending=ending: self.ask_to_save(ending))

    def ask_to_save(self, ending: str) -> None:
        """Ask where to save the picture or the figures, and save them."""
        kinds = {"png": "PNG pictures", "svg": "SVG pictures", "csv": "CSV tables"}
        chosen, _ = QFileDialog.getSaveFileName(
            self, f"Save {self.heading}", f"{self.file_stem}.{ending}", f"{kinds[ending]} (*.{ending})"
        )
        if chosen:
            path = Path(chosen)
            self.save_to(
                path if path.suffix.lower() == f".{ending}" else path.with_name(f"{path.name}.{ending}")
            )
