"""The plots below the loss: learning rate, gradient norm, speed and memory. Imports pyqtgraph."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PySide6.QtCore import QSize
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QGridLayout, QVBoxLayout, QWidget

from ui import format
from ui.panels.finetune.step_plots import StepPlot
from ui.plots import CurveSpec, TimePlot, link
from ui.theme import Theme
from ui.widgets.job_metrics import memory, throughput
from workbench.jobs.trace import RunTrace, smoothed

RATE, NORM = "learning rate", "gradient norm"
_HEIGHT = 168
#: Samples that the speed is a running mean of.
_SPEED_SPAN = 12
#: From these widths on they stand in two columns, or the four in one row.
_TWO_COLUMNS, _ONE_ROW = 520, 1080
_LEAST_WIDTH = 260


class SmallPlots(QWidget):
    """Two rows of two; one row of four where there is room, one column where there is little."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rate = StepPlot(theme, "Learning rate", "", first_colour=3)
        self.rate.set_curves((CurveSpec(RATE, "learning rate"),))
        self.norm = StepPlot(theme, "Gradient norm", "", first_colour=4)
        self.norm.set_curves((CurveSpec(NORM, "gradient norm"),))
        self.speed = TimePlot(theme, "Tokens per second", "", first_colour=2)
        self.memory = TimePlot(theme, "Memory", "B", first_colour=5)
        self.plots: tuple[TimePlot, ...] = (self.rate, self.norm, self.speed, self.memory)
        link(self.speed, self.memory)
        self._cards = [_card(plot) for plot in self.plots]
        self._columns = 0
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(12)
        self._arrange(2)

    def show_trace(self, trace: RunTrace) -> None:
        """Show what a run told so far."""
        self.rate.set_points(RATE, *trace.by_step(RATE))
        self.norm.set_points(NORM, *trace.by_step(NORM))
        told = list(trace.timed().items())
        starts = [float(trace.by_time(name)[0][0]) for name, _ in told]
        for plot, quantity in ((self.speed, throughput(told)), (self.memory, memory(told))):
            plot.set_curves(tuple(_renamed(curve) for curve in quantity.curves[:2]))
            plot.set_origin(min(starts, default=0.0))
            for curve in quantity.curves[:2]:
                t, v = trace.by_time(curve.name)
                # Two samples a second: where a step takes longer, every other one is 0.
                plot.set_points(curve.name, t, smoothed(v, _SPEED_SPAN) if plot is self.speed else v)
        used = memory(told).curves
        if used:
            peak = float(np.max(trace.by_time(used[0].name)[1]))
            self.memory.set_reference(peak, f"dashed: peak {format.bytes(int(peak))}")

    def clear(self) -> None:
        self.memory.set_reference(None)
        for plot in self.plots:
            plot.clear()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange(4 if self.width() >= _ONE_ROW else 2 if self.width() >= _TWO_COLUMNS else 1)

    def minimumSizeHint(self) -> QSize:
        return QSize(_LEAST_WIDTH, super().minimumSizeHint().height())

    def _arrange(self, columns: int) -> None:
        if columns == self._columns:
            return
        self._columns = columns
        for place, card in enumerate(self._cards):
            self._grid.addWidget(card, place // columns, place % columns)
        for place in range(4):
            self._grid.setColumnStretch(place, 1 if place < columns else 0)


def _renamed(curve: CurveSpec) -> CurveSpec:
    """What is counted needs no unit beside each of two names."""
    titles = {"throughput": "real", "throughput/padded tokens": "with padding"}
    title, unit = titles.get(curve.name, curve.title), curve.unit if curve.unit == "B" else ""
    return replace(curve, title=title, unit=unit)


def _card(plot: TimePlot) -> QFrame:
    card = QFrame()
    card.setProperty("card", "true")
    card.setFixedHeight(_HEIGHT)
    layout = QVBoxLayout(card)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.addWidget(plot)
    return card
