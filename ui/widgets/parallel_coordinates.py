"""Parallel coordinates of a sweep: an upright axis for each thing that is varied, a line for each trial."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, QSizeF, Qt, Signal
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from ui.models.sweep_axes import SweepAxis, axes_of, goodness
from ui.panels.compare.drawing import font
from ui.theme import Theme
from ui.tokens import Tokens
from workbench.cluster.sweep_file import Sweep, Trial

_TOP, _BOTTOM, _SIDE = 54.0, 18.0, 110.0
_RADIUS = 4.5
#: Room for the words of a mark.
_TICK = 90.0
#: A line is meant by a pointer that is this near, in pixels.
_REACH = 8.0
#: From the worst to the best, on a dark ground or not: Okabe and Ito's orange and blue, which every eye tells
#: apart; the orange is darker on white, where it would not stand out.
_ENDS = {True: ("#E69F00", "#56B4E9"), False: ("#B86E00", "#0072B2")}
_FADED = 0.22


class ParallelCoordinates(QWidget):
    """Draws a sweep as it is now.

    The best trial has a thick line with markers, so that colour is not the only sign; trials at work are
    dashed, and those that were ended early or failed dotted.

    Signals:
        highlighted: A person points at the trial of this number, or at none.
        chosen: A person clicked it.
    """

    highlighted = Signal(object)
    chosen = Signal(int)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._axes: tuple[SweepAxis, ...] = ()
        self._trials: Sequence[Trial] = ()
        self._values: Sequence[dict[str, object]] = ()
        self._names: list[str] = []
        self._good: list[float | None] = []
        self._best: int | None = None
        self._highlight: int | None = None
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName("Parallel coordinates of the trials")
        theme.changed.connect(self.update)

    def sizeHint(self) -> QSize:
        return QSize(900, 300)

    def minimumSizeHint(self) -> QSize:
        return QSize(420, 200)

    def show_sweep(self, sweep: Sweep) -> None:
        """Show a sweep; the highlight stays."""
        if sweep.plan is None:
            self._axes, self._trials = (), ()
        else:
            self._axes = axes_of(sweep.plan, sweep.trials)
            self._trials, self._values = list(sweep.trials), sweep.plan.values
            self._names = [each.name for each in sweep.plan.dimensions]
            self._good = goodness(sweep.plan, sweep.trials)
            best = sweep.best()
            self._best = best.number if best is not None else None
            self._describe(sweep)
        self.update()

    def highlight(self, number: int | None) -> None:
        """Bring out one trial; the others fade."""
        if number != self._highlight:
            self._highlight = number
            self.update()

    def draw(self, painter: QPainter, size: QSizeF, tokens: Tokens) -> None:
        """Draw it, here or into a picture."""
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if not self._axes:
            return
        places = self._places(size)
        bottom, top = size.height() - _BOTTOM, _TOP
        # What matters most is drawn last: the best, and above it what a person points at.
        order = sorted(
            range(len(self._trials)),
            key=lambda at: (at == self._highlight, at == self._best, self._good[at] or -1.0),
        )
        for at in order:
            self._draw_trial(painter, at, places, QRectF(0, top, size.width(), bottom - top), tokens)
        width = min(self._room(places), 2 * _SIDE) - 8
        for x, axis in zip(places, self._axes, strict=True):
            # Lines go to the right from the first axis, so its words stand on the left.
            _draw_axis(painter, axis, x, QRectF(0, top, width, bottom - top), tokens, on_left=x == places[0])

    def trial_at(self, at: QPointF) -> int | None:
        """The number of the trial whose line passes by a point."""
        if not self._axes:
            return None
        places = self._places(QSizeF(self.size()))
        box = QRectF(0, _TOP, self.width(), self.height() - _BOTTOM - _TOP)
        found = [(_distance(self._points(each, places, box), at), each) for each in range(len(self._trials))]
        distance, number = min(found, default=(_REACH + 1, -1))
        return number if distance <= _REACH else None

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        self.draw(painter, QSizeF(self.size()), self._theme.tokens)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        found = self.trial_at(event.position())
        if found != self._highlight:
            self.highlight(found)
            self.highlighted.emit(found)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        found = self.trial_at(event.position())
        if found is not None:
            self.chosen.emit(found)

    def leaveEvent(self, event: QEvent) -> None:
        if self._highlight is not None:
            self.highlight(None)
            self.highlighted.emit(None)

    # ------------------------------------------------------------------ drawing

    def _draw_trial(
        self, painter: QPainter, at: int, places: Sequence[float], box: QRectF, tokens: Tokens
    ) -> None:
        trial, points = self._trials[at], self._points(at, places, box)
        if len(points) < 2:
            return
        stands_out = at == self._highlight or (self._highlight is None and at == self._best)
        colour = _colour(self._good[at], tokens)
        if self._highlight is not None and at != self._highlight:
            colour.setAlphaF(_FADED)
        pen = QPen(colour, 3.0 if stands_out else 1.4)
        if trial.state in ("running", "waiting"):
            pen.setDashPattern([5.0, 3.0])
        elif trial.state in ("failed", "stopped"):
            pen.setDashPattern([1.5, 2.5])
        painter.setPen(pen)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawPolyline(QPolygonF(points))
        if stands_out:
            painter.setPen(QPen(QColor(tokens.card), 1.2))
            painter.setBrush(colour)
            for point in points:
                painter.drawEllipse(point, _RADIUS, _RADIUS)

    def _points(self, at: int, places: Sequence[float], box: QRectF) -> list[QPointF]:
        """Where a trial crosses the axes, from the left, up to the first that it has no value on."""
        found = []
        values = [self._values[at].get(name) for name in self._names]
        for x, axis, value in zip(places, self._axes, [*values, self._trials[at].value], strict=True):
            share = axis.share(value)
            if share is None:
                break
            found.append(QPointF(x, box.bottom() - share * box.height()))
        return found

    def _places(self, size: QSizeF) -> list[float]:
        room = size.width() - 2 * _SIDE
        return [_SIDE + room * at / max(1, len(self._axes) - 1) for at in range(len(self._axes))]

    def _room(self, places: Sequence[float]) -> float:
        return places[1] - places[0] if len(places) > 1 else 2 * _SIDE

    def _describe(self, sweep: Sweep) -> None:
        best = sweep.best()
        if sweep.plan is None or best is None:
            self.setAccessibleDescription(f"{len(sweep.trials)} trials; none has a value yet.")
            return
        said = ", ".join(f"{name} {value}" for name, value in sweep.plan.values[best.number].items())
        self.setAccessibleDescription(
            f"{len(sweep.trials)} trials; the best is trial {best.number + 1} with {said}:"
            f" {sweep.plan.metric} {best.value:.4g}."
        )


def _draw_axis(
    painter: QPainter, axis: SweepAxis, x: float, box: QRectF, tokens: Tokens, *, on_left: bool
) -> None:
    """Args:
    x: Where the axis stands.
    box: How high it is, and how wide its title may be.
    """
    top, bottom, width = box.top(), box.bottom(), box.width()
    painter.setPen(QPen(QColor(tokens.second), 1.2))
    painter.drawLine(QPointF(x, top), QPointF(x, bottom))
    painter.setFont(font(13, QFont.Weight.DemiBold))
    metrics = QFontMetricsF(painter.font())
    painter.setPen(QColor(tokens.text))
    # A title stands above its axis; the first and the last have their side as well.
    left = x - width / 2
    title = metrics.elidedText(axis.title, Qt.TextElideMode.ElideRight, width)
    painter.drawText(QRectF(left, 6, width, 20), int(Qt.AlignmentFlag.AlignCenter), title)
    painter.setFont(font(12))
    metrics = QFontMetricsF(painter.font())
    painter.setPen(QColor(tokens.second))
    note = metrics.elidedText(axis.note, Qt.TextElideMode.ElideRight, width)
    painter.drawText(QRectF(left, 25, width, 16), int(Qt.AlignmentFlag.AlignCenter), note)
    for share, text in axis.ticks:
        if not -0.001 <= share <= 1.001:
            continue
        y = bottom - share * (bottom - top)
        shown = metrics.elidedText(text, Qt.TextElideMode.ElideRight, _TICK)
        long = metrics.horizontalAdvance(shown) + 6
        ground = QRectF(x - 6 - long if on_left else x + 6, y - 8, long, 16)
        cover = QColor(tokens.card)
        cover.setAlphaF(0.82)
        painter.fillRect(ground, cover)
        painter.setPen(QPen(QColor(tokens.second), 1.0))
        painter.drawLine(QPointF(x - 3, y), QPointF(x + 3, y))
        painter.setPen(QColor(tokens.second))
        painter.drawText(ground, int(Qt.AlignmentFlag.AlignCenter), shown)


def _colour(good: float | None, tokens: Tokens) -> QColor:
    if good is None:
        return QColor(tokens.faint)
    worst, best = (QColor(each) for each in _ENDS[tokens.is_dark])
    ends = zip(worst.getRgb()[:3], best.getRgb()[:3], strict=True)  # type: ignore[index]
    return QColor(*(round(one + (other - one) * good) for one, other in ends))


def _distance(points: Sequence[QPointF], at: QPointF) -> float:
    """From a point to a line through others, in pixels."""
    least = float("inf")
    for one, other in pairwise(points):
        along = other - one
        length = QPointF.dotProduct(along, along)
        share = min(1.0, max(0.0, QPointF.dotProduct(at - one, along) / length)) if length else 0.0
        apart = at - (one + along * share)
        least = min(least, QPointF.dotProduct(apart, apart) ** 0.5)
    return least
