"""Speed and memory while a model generates, the speed at which people read, and what guessing brings."""

from __future__ import annotations

import time

import numpy as np
from PySide6.QtWidgets import QVBoxLayout, QWidget

from ui.panels.chat.guessing import GuessingPanel
from ui.plots import TimePlot
from ui.theme import Theme
from ui.widgets.card import label
from ui.widgets.plot_curve import CurveSpec
from workbench.engines.wire import Reading

#: Silent reading of English prose, 238 words a minute (Brysbaert 2019), is 5 to 6 tokens a second; people and
#: texts spread around that.
_READING_SPEED = (4.0, 7.0)
_MOST_POINTS = 7200
_PLOT_HEIGHT = 196


class LivePlots(QWidget):
    """Two plots over the time since the model was loaded, and the draft's part where there is one."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.speed = TimePlot(theme, "Speed", "tok/s")
        self.speed.set_curves((CurveSpec("speed", "Tokens a second", "tok/s", filled=True),))
        self.speed.set_band(*_READING_SPEED, "human reading speed")
        self.memory = TimePlot(theme, "Memory", "B", first_colour=2)
        self.memory.set_curves((CurveSpec("memory", "Memory", "B", filled=True),))
        for plot in (self.speed, self.memory):
            plot.setFixedHeight(_PLOT_HEIGHT)
            plot.set_floor(0.0)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.speed)
        column.addWidget(label("Shaded: how fast people read, 4 to 7 tokens a second.", "caption", wrap=True))
        column.addWidget(self.memory)
        self.guessing = GuessingPanel()
        self.guessing.setVisible(False)
        column.addWidget(self.guessing)
        column.addStretch(1)
        self._times: list[float] = []
        self._speeds: list[float] = []
        self._bytes: list[float] = []
        self.clear()

    def clear(self) -> None:
        """Begin anew: another model."""
        self._begun = time.monotonic()
        for series in (self._times, self._speeds, self._bytes):
            series.clear()
        for plot in (self.speed, self.memory):
            plot.clear()
        self.guessing.clear()

    def take(self, reading: Reading) -> None:
        """Add a reading."""
        self._times.append(time.monotonic() - self._begun)
        self._speeds.append(reading.tokens_per_s)
        self._bytes.append(float(reading.memory_bytes))
        for series in (self._times, self._speeds, self._bytes):
            del series[:-_MOST_POINTS]
        times = np.array(self._times)
        self.speed.set_points("speed", times, np.array(self._speeds))
        self.memory.set_points("memory", times, np.array(self._bytes))
