"""Plots against the steps of a training. Imports pyqtgraph."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PySide6.QtWidgets import QWidget

from ui import format
from ui.panels.finetune.loss_names import HELD_OUT, TRAIN
from ui.plots import CurveSpec, TimePlot
from ui.theme import Theme
from workbench.jobs.trace import RunTrace, smoothed

_EACH = "loss/each step"
#: The running mean goes over about this share of the steps, and at least so many.
_SPAN_SHARE = 0.04
_LEAST_SPAN = 8
_RING = 15


def at_step(step: float) -> str:
    """A place on the axis of steps: `step 240`."""
    return f"step {format.grouped(round(step))}"


class StepPlot(TimePlot):
    """A `TimePlot` whose horizontal axis counts steps."""

    axis_unit = "step"
    axis_name = "the steps"
    axis_column = "step"
    moment = staticmethod(at_step)


class LossPlot(StepPlot):
    """Training loss, smoothed and step by step, and the held-out loss with a ring around its best."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(theme, "Loss", "", parent=parent)
        self.set_curves(
            (
                CurveSpec(_EACH, "each step", colour=0, faint=True),
                CurveSpec(TRAIN, "training", colour=0),
                CurveSpec(HELD_OUT, "held out", marker="o", colour=1),
            )
        )
        self._ring = pg.ScatterPlotItem(size=_RING, symbol="o", pxMode=True)
        self._ring.setBrush(None)
        self._view.addItem(self._ring, ignoreBounds=True)
        theme.changed.connect(self._draw_ring)
        self._draw_ring()

    def show_trace(self, trace: RunTrace) -> None:
        """Show what a run told so far."""
        steps, losses = trace.by_step(TRAIN)
        span = max(_LEAST_SPAN, round(len(losses) * _SPAN_SHARE))
        self.set_points(_EACH, steps, losses)
        self.set_points(TRAIN, steps, smoothed(losses, span))
        steps, losses = trace.by_step(HELD_OUT)
        self.set_points(HELD_OUT, steps, losses)
        if not len(losses):
            self._ring.clear()
            self._legend.set_note("")
            return
        best = int(np.argmin(losses))
        self._ring.setData([steps[best]], [losses[best]])
        self._legend.set_note(f"ring: best, {losses[best]:.3g} at {at_step(steps[best])}")

    def _draw_ring(self) -> None:
        self._ring.setPen(pg.mkPen(self._theme.tokens.text, width=1.6))
