"""Live plots of a job's series against time.

Importing this module imports pyqtgraph (a quarter of a second), so pages import it when they are
first shown.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPoint, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QContextMenuEvent, QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QLabel, QMenu, QSizePolicy, QVBoxLayout, QWidget

from ui.actions import add_action
from ui.theme import PLOT_COLOURS, Theme
from ui.widgets.plot_curve import CurvePoints, CurveSpec, Floats
from ui.widgets.plot_curve_items import CurveItems
from ui.widgets.plot_export import CsvExport, write_png
from ui.widgets.plot_legend import PlotLegend, elapsed, value_text
from ui.widgets.plot_view import ScaledAxis, TimeViewBox
from workbench.errors import WorkbenchError

__all__ = ["CurveSpec", "TimePlot", "link"]

#: Redraws are gathered: a plot that gets points more often still draws at most this often.
_REDRAW_MS = 33

#: Room at both ends while everything is shown, as a share of it.
_ROOM = 0.012
#: Values that differ by less than this share of themselves are drawn as level.
_LEVEL = 0.001


class TimePlot(QWidget):
    """Curves of one unit against the seconds since a job began (a subclass may count something else).

    Mouse: the wheel zooms, a drag marks what to zoom to, Shift-drag pans, a double click shows all.
    Keys: `+` `-` zoom, Left and Right pan, Home shows all, Ctrl+Left and Ctrl+Right move the crosshair,
    Ctrl+Shift+P saves a picture, Ctrl+Shift+C the points, the menu key offers the same.

    Signals:
        hovered: The crosshair is at this many seconds, or None.
        range_chosen: A person chose to see these seconds (None: everything).
        failed: Something could not be saved; carries a `WorkbenchError`.
        saved: A file was written; carries its path.
    """

    hovered = Signal(object)
    range_chosen = Signal(object)
    failed = Signal(object)
    saved = Signal(object)

    #: What the horizontal axis counts: its unit, its name in a sentence and in a CSV file.
    axis_unit = "s"
    axis_name = "time"
    axis_column = "seconds"
    #: How a place on it is told.
    moment = staticmethod(elapsed)

    def __init__(
        self, theme: Theme, title: str, unit: str, *, first_colour: int = 0, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self._first_colour = first_colour
        self._title = title
        self._unit = unit
        self._origin = 0.0
        self._curves: dict[str, CurveItems] = {}
        self._chosen: tuple[float, float] | None = None
        self._chosen_values: tuple[float, float] | None = None
        self._cursor: float | None = None
        self._reference: float | None = None
        self._floor: float | None = None
        self._exports: list[CsvExport] = []
        self.frames = 0
        self._build()
        self._make_actions()
        self._redraw_soon = QTimer(self)
        self._redraw_soon.setSingleShot(True)
        self._redraw_soon.setInterval(_REDRAW_MS)
        self._redraw_soon.timeout.connect(self.redraw)
        theme.changed.connect(self._recolour)
        self._recolour()

    @property
    def title(self) -> str:
        return self._title

    def set_title(self, title: str, unit: str) -> None:
        """Show another quantity."""
        self._title, self._unit = title, unit
        self._heading.setText(title)
        self._value_axis.set_unit(unit)
        self.setAccessibleName(f"Plot of {title.lower()} against {self.axis_name}")

    def replace_heading(self, widget: QWidget) -> None:
        """Put a widget (a chooser) where the title stands."""
        self._head.replaceWidget(self._heading, widget)
        self._heading.hide()

    def set_curves(self, specs: tuple[CurveSpec, ...]) -> None:
        """Show these curves and no others; those that stay keep their points."""
        if [curve.spec for curve in self._curves.values()] == list(specs):
            return
        kept = self._curves
        for curve in kept.values():
            for item in curve.items():
                self._view.removeItem(item)
        self._curves = {}
        for spec in specs:
            old = kept.get(spec.name)
            curve = CurveItems(spec)
            if old is not None:
                curve.points = old.points
            self._curves[spec.name] = curve
            for item in curve.items():
                self._view.addItem(item, ignoreBounds=True)
        self._recolour()

    def set_origin(self, origin: float) -> None:
        """The moment that counts as zero, in the clock of the points."""
        if origin != self._origin:
            self._origin = origin
            self._redraw_soon.start()

    def set_points(self, name: str, t: Floats, v: Floats) -> None:
        """Give a curve its points so far: the earlier ones and what was added. They are not copied."""
        if self._curves[name].points.replace(t, v) and not self._redraw_soon.isActive():
            self._redraw_soon.start()

    def set_reference(self, value: float | None, text: str = "") -> None:
        """A dashed level to compare with, and what it stands for."""
        self._reference = value
        self._reference_line.setVisible(value is not None)
        if value is not None:
            self._reference_line.setValue(value)
        self._legend.set_note(text if value is not None else "")
        self._redraw_soon.start()

    def set_floor(self, value: float) -> None:
        """Always show this value, where the distance to it is what counts."""
        self._floor = value
        self._redraw_soon.start()

    def set_band(self, low: float, high: float, text: str) -> None:
        """A shaded range to compare with, and what it stands for."""
        self._band_region.setRegion((low, high))
        self._band_region.show()
        self._legend.set_note(text)
        self._redraw_soon.start()

    def clear(self) -> None:
        """Forget all points and show all times again."""
        for curve in self._curves.values():
            curve.points = CurvePoints()
        self._chosen = self._chosen_values = None
        self.show_cursor(None)
        self.redraw()

    def extent(self) -> tuple[float, float]:
        """First and last second of all curves."""
        filled = [curve.points.t for curve in self._curves.values() if len(curve.points)]
        if not filled:
            return 0.0, 1.0
        first = min(float(t[0]) for t in filled) - self._origin
        last = max(float(t[-1]) for t in filled) - self._origin
        return min(first, 0.0) if first < 1.0 else first, max(last, first + 1.0)

    def shown_range(self) -> tuple[float, float]:
        return self._chosen or self.extent()

    def show_range(self, chosen: tuple[float, float] | None) -> None:
        """Show these seconds, or everything; says nothing to linked plots."""
        if chosen is None:
            self._chosen_values = None
        self._chosen = chosen
        self.redraw()

    def show_all(self) -> None:
        self.show_range(None)
        self.range_chosen.emit(None)

    def zoom(self, factor: float) -> None:
        """Zoom in time around the crosshair, else around the middle; below 1 zooms in."""
        low, high = self.shown_range()
        at = self._cursor if self._cursor is not None else (low + high) / 2
        self._choose(at - (at - low) * factor, at + (high - at) * factor)

    def pan(self, share: float) -> None:
        """Move by a share of what is in view; above 0 goes on in time."""
        low, high = self.shown_range()
        self._choose(low + (high - low) * share, high + (high - low) * share)

    def show_cursor(self, seconds: float | None) -> None:
        """Put the crosshair at a time and read the curves' values there."""
        self._cursor = seconds
        self._cursor_line.setVisible(seconds is not None)
        if seconds is not None:
            self._cursor_line.setValue(seconds)
        self._read_values()

    def redraw(self) -> None:
        """Draw what is in view now."""
        self._redraw_soon.stop()
        low, high = self.shown_range()
        pixels = max(int(self._view.width()), 50)
        least, most = np.inf, -np.inf
        for curve in self._curves.values():
            t, v = curve.points.drawn(low + self._origin, high + self._origin, pixels)
            curve.draw(t - self._origin, v)
            if len(v):
                least, most = min(least, float(np.nanmin(v))), max(most, float(np.nanmax(v)))
        if self._floor is not None and np.isfinite(most):
            least = min(least, self._floor)
        if self._reference is not None and np.isfinite(most):
            least, most = min(least, self._reference), max(most, self._reference)
        bottom, top = self._chosen_values or _fitted(least, most)
        self._time_axis.fit(low, high)
        self._value_axis.fit(bottom, top)
        # A little room at both ends, so that the first tick and the last point are not cut in half.
        room = 0.0 if self._chosen else (high - low) * _ROOM
        self._view.setRange(xRange=(low - room, high + room), yRange=(bottom, top), padding=0)
        self._show_emptiness(not any(len(curve.points) for curve in self._curves.values()))
        self._read_values()
        self.frames += 1

    def save_picture(self, path: Path) -> None:
        try:
            write_png(self, path)
        except WorkbenchError as error:
            self.failed.emit(error)
            return
        self.saved.emit(path)

    def save_points(self, path: Path) -> CsvExport:
        """Write every point to a CSV file, a slice at a time."""
        curves = [(curve.spec, curve.points) for curve in self._curves.values()]
        export = CsvExport(curves, self._origin, path, self, column=self.axis_column)
        self._exports.append(export)
        export.done.connect(self.saved)
        export.failed.connect(self.failed)
        export.done.connect(lambda _path: self._exports.remove(export))
        export.failed.connect(lambda _error: self._exports.remove(export))
        export.start()
        return export

    def sizeHint(self) -> QSize:
        return QSize(420, 240)

    def minimumSizeHint(self) -> QSize:
        return QSize(240, 130)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._redraw_soon.start()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = event.key()
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            step = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(Qt.Key(key))
            if step is not None:
                self._step_cursor(step)
                return
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal):
            self.zoom(0.7)
            return
        elif key == Qt.Key.Key_Minus:
            self.zoom(1 / 0.7)
            return
        elif key in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            self.pan(-0.15 if key == Qt.Key.Key_Left else 0.15)
            return
        elif key in (Qt.Key.Key_Home, Qt.Key.Key_0):
            self.show_all()
            return
        elif key == Qt.Key.Key_Escape and self._cursor is not None:
            self.show_cursor(None)
            return
        super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        self._menu.popup(event.globalPos())

    def _choose(self, low: float, high: float, values: object = None) -> None:
        first, last = self.extent()
        width = min(max(high - low, 1e-3), last - first)
        if width >= (last - first) * 0.999:
            self.show_all()
            return
        low = min(max(low, first), last - width)
        if isinstance(values, tuple):
            self._chosen_values = values
        self._chosen = (low, low + width)
        self.redraw()
        self.range_chosen.emit(self._chosen)

    def _step_cursor(self, step: int) -> None:
        low, high = self.shown_range()
        at = self._cursor if self._cursor is not None else (low if step > 0 else high)
        self.show_cursor(min(max(at + step * (high - low) / 100, low), high))
        self.hovered.emit(self._cursor)

    def _hover(self, where: object) -> None:
        inside = self._view.sceneBoundingRect().contains(where)  # type: ignore[arg-type]
        seconds = self._view.mapSceneToView(where).x() if inside else None
        if seconds is None and self._cursor is None:
            return
        self.show_cursor(seconds)
        self.hovered.emit(seconds)

    def leaveEvent(self, event: object) -> None:
        self.show_cursor(None)
        self.hovered.emit(None)

    def _show_emptiness(self, empty: bool) -> None:
        """Say in the middle that there are no points; numbers at the axes would mean nothing then."""
        self._empty.setGeometry(self._canvas.rect())
        self._empty.setVisible(empty)
        for axis in (self._time_axis, self._value_axis):
            axis.setStyle(showValues=not empty)

    def _read_values(self) -> None:
        values: dict[str, float | None] = {}
        for name, curve in self._curves.items():
            points = curve.points
            if self._cursor is None:
                values[name] = float(points.v[-1]) if len(points) else None
                curve.cursor.clear()
                continue
            found = points.at(self._cursor + self._origin)
            values[name] = None if found is None else found[1]
            if found is None:
                curve.cursor.clear()
            else:
                curve.cursor.setData([found[0] - self._origin], [found[1]])
        self._legend.show_values(values, self._cursor)
        said = ", ".join(
            f"{curve.spec.title} {value_text(value, curve.spec.unit)}"
            for name, curve in self._curves.items()
            if (value := values[name]) is not None
        )
        self.setAccessibleDescription(said or "No points yet")

    def _build(self) -> None:
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self._heading = QLabel(self._title)
        self._heading.setProperty("role", "section")
        self._legend = PlotLegend(self._theme, self.moment)
        self._view = TimeViewBox()
        self._time_axis = ScaledAxis("bottom", self.axis_unit)
        self._value_axis = ScaledAxis("left", self._unit)
        self._value_axis.setWidth(62)
        self._canvas = pg.PlotWidget(
            viewBox=self._view, axisItems={"bottom": self._time_axis, "left": self._value_axis}
        )
        self._canvas.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._canvas.setMenuEnabled(False)
        self._canvas.hideButtons()
        self._canvas.setFrameShape(pg.PlotWidget.Shape.NoFrame)
        self._canvas.getPlotItem().layout.setContentsMargins(0, 6, 8, 0)
        self._canvas.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self._canvas.setMinimumSize(0, 0)
        self._cursor_line = pg.InfiniteLine(angle=90, movable=False)
        self._cursor_line.hide()
        self._reference_line = pg.InfiniteLine(angle=0, movable=False)
        self._reference_line.hide()
        self._band_region = pg.LinearRegionItem(orientation="horizontal", movable=False)
        self._band_region.hide()
        for line in (self._band_region, self._cursor_line, self._reference_line):
            self._view.addItem(line, ignoreBounds=True)
        self._empty = QLabel("No points yet", self._canvas)
        self._empty.setProperty("role", "caption")
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._empty.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._head = QHBoxLayout()
        self._head.setSpacing(12)
        self._head.addWidget(self._heading)
        self._head.addWidget(self._legend, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(14, 10, 8, 6)
        layout.setSpacing(2)
        layout.addLayout(self._head)
        layout.addWidget(self._canvas, 1)
        self._view.zoomed.connect(self._choose)
        self._view.reset.connect(self.show_all)
        self._canvas.scene().sigMouseMoved.connect(self._hover)
        self.setToolTip("")
        self.set_title(self._title, self._unit)

    def _make_actions(self) -> None:
        self._menu = QMenu(self)
        entries = (
            ("Show all", "Home", self.show_all),
            ("Zoom in", "+", lambda: self.zoom(0.7)),
            ("Zoom out", "-", lambda: self.zoom(1 / 0.7)),
        )
        for text, keys, call in entries:
            # The keys are answered in keyPressEvent; here they are only told.
            self._menu.addAction(f"{text}\t{keys}").triggered.connect(call)
        self._menu.addSeparator()
        for text, keys, ask in (
            ("Save picture as PNG…", "Ctrl+Shift+P", self.ask_for_picture),
            ("Save points as CSV…", "Ctrl+Shift+C", self.ask_for_points),
        ):
            self._menu.addAction(add_action(self, text, keys, ask))

    def ask_for_picture(self) -> None:
        self._ask("Save picture", "PNG pictures (*.png)", ".png", self.save_picture)

    def ask_for_points(self) -> None:
        self._ask("Save points", "CSV tables (*.csv)", ".csv", self.save_points)

    def _ask(self, title: str, filters: str, ending: str, save: object) -> None:
        name = self._title.lower().replace(" ", "-") + ending
        chosen, _ = QFileDialog.getSaveFileName(self, title, name, filters)
        if chosen and callable(save):
            save(Path(chosen))

    def show_menu(self, where: QPoint) -> None:
        self._menu.popup(where)

    def _recolour(self) -> None:
        tokens = self._theme.tokens
        self._canvas.setBackground(None)
        for number, curve in enumerate(self._curves.values(), self._first_colour):
            place = number if curve.spec.colour is None else curve.spec.colour
            curve.paint(PLOT_COLOURS[place % len(PLOT_COLOURS)], tokens.card)
        for axis in (self._time_axis, self._value_axis):
            axis.set_colours(tokens.line, tokens.second, tokens.second)
        self._cursor_line.setPen(pg.mkPen(tokens.second, width=1))
        self._reference_line.setPen(pg.mkPen(tokens.second, width=1, style=Qt.PenStyle.DashLine))
        shade = QColor(tokens.second)
        shade.setAlphaF(0.16)
        self._band_region.setBrush(shade)
        for line in self._band_region.lines:
            line.setPen(pg.mkPen(tokens.second, width=1, style=Qt.PenStyle.DotLine))
        named = (curve for curve in self._curves.values() if not curve.spec.faint)
        self._legend.set_curves(tuple((curve.spec, curve.colour) for curve in named))
        self.redraw()


def link(*plots: TimePlot) -> None:
    """Make plots share their crosshair and the times in view."""
    for plot in plots:
        for other in plots:
            if other is not plot:
                plot.hovered.connect(other.show_cursor)
                plot.range_chosen.connect(other.show_range)


def _fitted(least: float, most: float) -> tuple[float, float]:
    """Limits of the values' axis: from zero where the values come near it, with room above."""
    if not np.isfinite(least) or not np.isfinite(most):
        return 0.0, 1.0
    if 0 <= least <= 0.6 * most:
        return 0.0, most * 1.08
    # What hardly moves is drawn as a level line: noise in the sixth digit is no mountain.
    level = most - least < abs(most) * _LEVEL
    room = (abs(most) * 0.05 or 1.0) if level else (most - least) * 0.08
    return least - room, most + room
