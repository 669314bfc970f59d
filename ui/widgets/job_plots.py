"""The plots of a job: throughput, memory, and whatever else it reported. Imports pyqtgraph."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QFrame, QGridLayout, QVBoxLayout, QWidget

from ui import format
from ui.plots import TimePlot, link
from ui.theme import Theme
from ui.widgets.form_inputs import CalmComboBox
from ui.widgets.job_metrics import Quantity, memory, others, throughput
from ui.widgets.plot_curve import Floats
from workbench.jobs.records import JobRecord
from workbench.jobs.series import SeriesStore

#: One bite of an event file: about 10 ms of reading, so that no frame waits for a long job.
_BITE_BYTES = 256 * 1024

#: Colours of the plots differ, so that a glance tells them apart.
_COLOURS = {"throughput": 2, "memory": 4, "other": 0}


class JobPlots(QWidget):
    """Plots of one job, fed from its folder.

    Signals:
        figures_changed: New points were read.
        failed: Something could not be saved; carries a `WorkbenchError`.
        saved: A file was written; carries its path.
    """

    figures_changed = Signal()
    failed = Signal(object)
    saved = Signal(object)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._store: SeriesStore | None = None
        self._job_id = ""
        self._known: tuple[tuple[str, str], ...] = ()
        self._by_hand = ""
        self._quantities: tuple[Quantity, ...] = ()
        self._latest: dict[str, tuple[Floats, Floats]] = {}
        self.throughput = TimePlot(theme, "Throughput", "", first_colour=_COLOURS["throughput"])
        self.memory = TimePlot(theme, "Memory", "B", first_colour=_COLOURS["memory"])
        self.other = TimePlot(theme, "Other", "", first_colour=_COLOURS["other"])
        self.chooser = CalmComboBox()
        self.chooser.setAccessibleName("What the large plot shows")
        self.chooser.setMinimumContentsLength(24)
        self.chooser.currentIndexChanged.connect(self._choose)
        self.chooser.activated.connect(self._keep_choice)
        self.other.replace_heading(self.chooser)
        self._plots = (self.throughput, self.memory, self.other)
        link(*self._plots)
        self._cards = {plot: _card(plot) for plot in self._plots}
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(12)
        for plot in self._plots:
            plot.failed.connect(self.failed)
            plot.saved.connect(self.saved)
        self._arrange(own_first=False)
        self._reader = QTimer(self)
        self._reader.setInterval(15)
        self._reader.timeout.connect(self._read_on)

    def show_job(self, job: JobRecord) -> None:
        """Show another job's series, from whatever was indexed before."""
        if job.id == self._job_id:
            self.advance()
            return
        self._job_id = job.id
        self._store = SeriesStore(job.folder)
        self._known = ()
        self._by_hand = ""
        self._quantities = ()
        self._latest = {}
        self.memory.set_reference(None)
        for plot in self._plots:
            plot.clear()
        self._feed()
        self._read_on()
        self._reader.start()

    def advance(self) -> None:
        """Read what was added since; called when the job said something."""
        if self._store is not None and not self._reader.isActive():
            self._reader.start()

    def series(self, quantity: str) -> list[tuple[Floats, Floats]]:
        """The points of `throughput` or `memory`, first curve first; for the tiles."""
        found = throughput(self._known) if quantity == "throughput" else memory(self._known)
        return [self._latest[curve.name] for curve in found.curves if curve.name in self._latest]

    def unit_of_throughput(self) -> str:
        return throughput(self._known).unit

    def hideEvent(self, event: object) -> None:
        self._reader.stop()

    def showEvent(self, event: object) -> None:
        self.advance()

    def _read_on(self) -> None:
        if self._store is None:
            return
        if self._store.append_new(_BITE_BYTES):
            self._feed()
        else:
            self._reader.stop()

    def _feed(self) -> None:
        if self._store is None:
            return
        known = tuple((series.name, series.unit) for series in self._store.names())
        if known != self._known:
            self._known = known
            self._set_up()
        self._latest = {name: self._store.read(name) for name, _ in known}
        starts = [float(t[0]) for t, _ in self._latest.values() if len(t)]
        if not starts:
            return
        for plot, quantity in self._shown().items():
            plot.set_origin(min(starts))
            for curve in quantity.curves:
                plot.set_points(curve.name, *self._latest[curve.name])
        self._mark_peak()
        self.figures_changed.emit()

    def _set_up(self) -> None:
        speed, held = throughput(self._known), memory(self._known)
        self.throughput.set_title("Throughput", speed.unit)
        self.throughput.set_curves(speed.curves)
        self.memory.set_curves(held.curves)
        self._quantities = others(self._known)
        self.chooser.blockSignals(True)
        self.chooser.clear()
        for quantity in self._quantities:
            self.chooser.addItem(quantity.title)
        # What the operation reports comes first, also where the worker's own samples were there before it.
        chosen = max(self.chooser.findText(self._by_hand), 0) if self._by_hand else 0
        self.chooser.setCurrentIndex(chosen if self._quantities else -1)
        self.chooser.blockSignals(False)
        self._arrange(own_first=any(quantity.own for quantity in self._quantities))
        self._choose(self.chooser.currentIndex(), feed=False)

    def _keep_choice(self, number: int) -> None:
        self._by_hand = self.chooser.itemText(number)

    def _choose(self, number: int, feed: bool = True) -> None:
        if not 0 <= number < len(self._quantities):
            return
        quantity = self._quantities[number]
        self.other.set_title(quantity.title, quantity.unit)
        self.other.set_curves(quantity.curves)
        if feed:
            self._feed()

    def _shown(self) -> Mapping[TimePlot, Quantity]:
        shown = {self.throughput: throughput(self._known), self.memory: memory(self._known)}
        number = self.chooser.currentIndex()
        if 0 <= number < len(self._quantities):
            shown[self.other] = self._quantities[number]
        return shown

    def _mark_peak(self) -> None:
        points = self.series("memory")
        if points and len(points[0][1]):
            peak = float(np.max(points[0][1]))
            self.memory.set_reference(peak, f"dashed: peak {format.bytes(int(peak))}")

    def _arrange(self, *, own_first: bool) -> None:
        """What the operation itself reports stands large on top; mere samples stand below."""
        top, bottom = (0, 1) if own_first else (1, 0)
        self._grid.addWidget(self._cards[self.other], top, 0, 1, 2)
        self._grid.addWidget(self._cards[self.throughput], bottom, 0)
        self._grid.addWidget(self._cards[self.memory], bottom, 1)
        self._grid.setRowStretch(top, 5 if own_first else 4)
        self._grid.setRowStretch(bottom, 5)
        self._grid.setColumnStretch(0, 1)
        self._grid.setColumnStretch(1, 1)
        self._cards[self.other].setVisible(bool(self._quantities))


def _card(plot: TimePlot) -> QFrame:
    card = QFrame()
    card.setProperty("card", "true")
    layout = QVBoxLayout(card)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.addWidget(plot)
    return card
