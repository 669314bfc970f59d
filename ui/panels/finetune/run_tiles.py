"""The figures of a run: step, held-out loss, speed, memory, time left."""

from __future__ import annotations

import time
from datetime import datetime

import numpy as np
from PySide6.QtCore import QSize
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QGridLayout, QWidget

from ui import format
from ui.panels.finetune.loss_names import HELD_OUT, TRAIN
from ui.widgets.job_metrics import memory, throughput
from ui.widgets.job_tiles import Tile
from ui.widgets.job_words import TimeLeft, duration_of, share_done, time_left_text
from ui.widgets.mean_rate import mean_rate
from workbench.jobs.records import JobRecord
from workbench.jobs.trace import RunTrace

_TITLES = {
    "step": "Step",
    "loss": "Held-out loss",
    "speed": "Tokens per second",
    "memory": "Memory peak",
    "time": "Time left",
}

#: From this width on all tiles stand in one row.
_ONE_ROW = 620
_LEAST_WIDTH = 100
#: What “now” is of a speed, in seconds.
_RECENT_S = 10.0


class RunTiles(QWidget):
    """Five tiles in a row, or in two rows where that is too narrow."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._columns = 0
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(12)
        self.tiles = {name: Tile(title) for name, title in _TITLES.items()}
        for tile in self.tiles.values():
            tile.setMinimumWidth(_LEAST_WIDTH)
        self._arrange(len(self.tiles))

    def minimumSizeHint(self) -> QSize:
        return QSize(3 * _LEAST_WIDTH, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange(len(self.tiles) if self.width() >= _ONE_ROW else 3)

    def _arrange(self, columns: int) -> None:
        if columns == self._columns:
            return
        self._columns = columns
        for place, tile in enumerate(self.tiles.values()):
            self._grid.addWidget(tile, place // columns, place % columns)
        for place in range(len(self.tiles)):
            self._grid.setColumnStretch(place, 1 if place < columns else 0)

    def show_job(
        self, job: JobRecord, steps: tuple[int, int] | None, left: TimeLeft, epochs: float | None
    ) -> None:
        """How far the job is.

        Args:
            steps: Done, and in all; None before the first.
        """
        self._show_step(job, steps, epochs)
        self._show_time(job, left)

    def show_trace(self, trace: RunTrace, *, running: bool) -> None:
        """What the run measured."""
        self._show_loss(trace)
        self._show_speed(trace, running=running)
        self._show_memory(trace, running=running)

    def _show_step(self, job: JobRecord, steps: tuple[int, int] | None, epochs: float | None) -> None:
        if steps is None:
            share = share_done(job)
            far = format.percent(share) if share is not None and job.state == "running" else "—"
            waits = "waiting for its turn" if job.state == "queued" else "not begun yet"
            self.tiles["step"].show_figure(far, job.progress_label or waits)
            return
        done, total = steps
        at = f"epoch {min(done / max(total, 1) * epochs, epochs):.1f} of {epochs:g}" if epochs else ""
        # What comes after the steps (the proof) has a progress of its own.
        after = job.progress_label if job.state == "running" and job.progress_unit != "steps" else ""
        self.tiles["step"].show_figure(f"{format.grouped(done)} / {format.grouped(total)}", after or at)

    def _show_loss(self, trace: RunTrace) -> None:
        steps, losses = trace.by_step(HELD_OUT)
        if not len(losses):
            last = trace.last(TRAIN)
            remark = f"training {last:.3g}" if last is not None else "nothing measured yet"
            self.tiles["loss"].show_figure("—", remark)
            return
        best = int(np.argmin(losses))
        if best == len(losses) - 1:
            remark = f"best · before {losses[0]:.3g}" if best else "before training"
        else:
            remark = f"best {losses[best]:.3g}, step {format.grouped(int(steps[best]))}"
        self.tiles["loss"].show_figure(f"{losses[-1]:.3g}", remark)

    def _show_speed(self, trace: RunTrace, *, running: bool) -> None:
        curves = throughput(trace.timed().items()).curves
        if not curves:
            self.tiles["speed"].show_figure("—", "nothing measured yet")
            return
        rates = [_rate(*trace.by_time(curve.name), running=running) for curve in curves[:2]]
        remark = f"{format.number(rates[1])} with padding" if len(rates) > 1 else ""
        self.tiles["speed"].show_figure(format.number(rates[0]), remark)

    def _show_memory(self, trace: RunTrace, *, running: bool) -> None:
        curves = memory(trace.timed().items()).curves
        if not curves:
            self.tiles["memory"].show_figure("—", "nothing measured yet")
            return
        values = trace.by_time(curves[-1].name if "gpu" in curves[-1].name else curves[0].name)[1]
        remark = f"now {format.bytes(int(values[-1]))}" if running else "of this run"
        self.tiles["memory"].show_figure(format.bytes(int(np.max(values))), remark)

    def _show_time(self, job: JobRecord, left: TimeLeft) -> None:
        now, tile = time.time(), self.tiles["time"]
        took = duration_of(job, now)
        if job.state == "running":
            seconds = left.seconds(now)
            ends = f"ends {datetime.fromtimestamp(now + seconds):%H:%M}" if seconds is not None else ""
            tile.show_figure(time_left_text(seconds), ends or f"ran {format.duration(took)}", "Time left")
        elif took is None:
            tile.show_figure("—", "has not started", "Time")
        else:
            tile.show_figure(format.duration(took), format.date(job.ended_at or job.started_at), "Took")


def _rate(times: np.ndarray, values: np.ndarray, *, running: bool) -> float:
    """The mean of the last seconds of a run, or of all from its first step to its last."""
    busy = np.flatnonzero(values)
    if not len(busy):
        return 0.0
    if running:
        # With the point before them, from which the first of them counts.
        first = max(int(np.searchsorted(times, times[-1] - _RECENT_S)) - 1, 0)
        return mean_rate(times[first:], values[first:])
    whole = slice(busy[0], busy[-1] + 1)
    return mean_rate(times[whole], values[whole])
