"""How fast a job's plots are: 1,000,000 points drawn and panned, and 5,000 events a second arriving.

Run it with `python tests/bench/bench_plots.py`; it prints figures and asserts none of them.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
from PySide6.QtWidgets import QApplication

POINTS = 1_000_000
EVENTS_A_SECOND = 5_000
SECONDS = 10.0


def main() -> int:
    started = time.perf_counter()
    app = QApplication(sys.argv[:1])
    from ui.theme import Theme
    from ui.widgets.job_plots import JobPlots

    imported = time.perf_counter() - started
    theme = Theme()
    theme.apply(app)
    with tempfile.TemporaryDirectory() as folder:
        print(f"import of Qt, pyqtgraph and the plots   {imported * 1e3:8.0f} ms")
        _long_job(app, JobPlots(theme), Path(folder) / "long")
        _busy_job(app, JobPlots(theme), Path(folder) / "busy")
    return 0


def _long_job(app: QApplication, plots: object, folder: Path) -> None:
    """A finished job of 1,000,000 points that was indexed before, opened and panned."""
    from ui.widgets.job_plots import JobPlots

    assert isinstance(plots, JobPlots)
    _write_events(folder, POINTS)
    from workbench.jobs.series import SeriesStore

    store = SeriesStore(folder)
    began = time.perf_counter()
    bites = []
    while True:
        bite = time.perf_counter()
        more = store.append_new(256 * 1024)
        bites.append(time.perf_counter() - bite)
        if not more:
            break
    print(
        f"first reading of {POINTS:,} points          {(time.perf_counter() - began) * 1e3:8.0f} ms "
        f"in {len(bites)} bites of at most {max(bites) * 1e3:.0f} ms"
    )
    plots.resize(1100, 620)
    plots.show()
    app.processEvents()
    began = time.perf_counter()
    plots.show_job(_record(folder))
    for plot in (plots.throughput, plots.memory, plots.other):
        plot.redraw()
    plots.grab()
    print(f"first draw, {POINTS:,} points in all         {(time.perf_counter() - began) * 1e3:8.0f} ms")
    plot = plots.throughput
    plot.zoom(0.5)
    frames = []
    for number in range(120):
        frame = time.perf_counter()
        plot.pan(0.01 if number < 60 else -0.01)
        plots.grab()
        frames.append(time.perf_counter() - frame)
    _tell("panning, all three plots", frames)
    plots.close()


def _busy_job(app: QApplication, plots: object, folder: Path) -> None:
    """A running job that writes 5,000 events a second, for ten seconds, as the window sees it."""
    from ui.widgets.job_plots import JobPlots

    assert isinstance(plots, JobPlots)
    _write_events(folder, 1_000)
    plots.resize(1100, 620)
    plots.show()
    plots.show_job(_record(folder))
    app.processEvents()
    lines = _lines(int(EVENTS_A_SECOND * SECONDS), begin=1_000)
    began = time.perf_counter()
    written = 0
    frames = []
    with (folder / "events.jsonl").open("ab", buffering=0) as file:
        while time.perf_counter() - began < SECONDS:
            due = int((time.perf_counter() - began) * EVENTS_A_SECOND)
            if due > written:
                file.write(b"".join(lines[written:due]))
                written = due
                plots.advance()
            frame = time.perf_counter()
            app.processEvents()
            took = time.perf_counter() - frame
            if took > 1e-4:
                frames.append(took)
            time.sleep(0.002)
    _tell(f"{EVENTS_A_SECOND:,} events a second arriving", frames)
    print(f"    points shown {len(plots.series('throughput')[0][0]):,} of {(written + 1000) // 3:,} written")
    plots.close()


def _tell(what: str, frames: list[float]) -> None:
    times = np.array(frames) * 1e3
    print(
        f"{what:40}{times.mean():8.1f} ms mean, {np.percentile(times, 99):.1f} ms at 99 %, "
        f"{times.max():.1f} ms longest, {1e3 / times.mean():.0f} frames/s"
    )


def _write_events(folder: Path, count: int) -> None:
    folder.mkdir(parents=True)
    with (folder / "events.jsonl").open("wb") as file:
        for start in range(0, count, 100_000):
            file.writelines(_lines(min(100_000, count - start), begin=start))


def _lines(count: int, begin: int) -> list[bytes]:
    """Metric events of three series in turn, one each 3.6 ms: a million make an hour."""
    from workbench.jobs.events import Metric, _encoder

    names = (("throughput", "tokens/s"), ("rss_bytes", "B"), ("cpu_percent", "%"))
    values = np.random.default_rng(0).standard_normal(count).cumsum() + 5_000
    made = []
    for number, value in enumerate(values.tolist(), begin):
        name, unit = names[number % 3]
        made.append(_encoder.encode(Metric(1.7e9 + number * 0.0036, name, value, unit=unit)) + b"\n")
    return made


def _record(folder: Path) -> object:
    from workbench.jobs.records import JobRecord

    empty = dict.fromkeys(JobRecord.__dataclass_fields__, "")
    numbers = {"position": 0.0, "created_at": 0.0, "attempts": 0, "progress_done": 0.0, "progress_total": 0.0}
    rest = {"id": folder.name, "state": "running", "folder": folder, "started_at": 0.0, "ended_at": None}
    return JobRecord(**{**empty, **numbers, **rest})


if __name__ == "__main__":
    sys.exit(main())
