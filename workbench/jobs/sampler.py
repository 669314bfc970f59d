"""Samples a worker from inside, twice a second: memory, CPU, GPUs, and the operation's own throughput."""

from __future__ import annotations

import re
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import psutil

from workbench.hardware import nvidia
from workbench.jobs.events import Event, Metric, now
from workbench.jobs.rates import Rate

INTERVAL_S = 0.5
#: The series of processes and devices, whatever the operation does.
_OF_PROCESSES = re.compile(r"^(rss|cpu|gpu|metal)(_|\d)")


def is_of_processes(series: str) -> bool:
    """Whether a series is one that every worker samples, rather than what its operation reports."""
    return _OF_PROCESSES.match(series) is not None


class Sampler:
    """A thread that reports `metric` events until it is stopped; one at the start, one at the end.

    The series: `rss_bytes` and `cpu_percent` of the process tree (100 % is one core at work),
    `gpu{i}_percent`, `gpu{i}_memory_bytes` (of this process tree where the driver tells, else of the
    device), `gpu{i}_power_w`, `metal_memory_bytes` and `metal_peak_bytes` where MLX is loaded, and
    `throughput` in units per second, each for the time since the one before. The thread runs on while the
    main thread is in a native call.

    Args:
        emit: Where the events go. An error that it raises ends the sampling and goes to `failed`.
        take_amounts: The work counted since the last call, by unit.
    """

    def __init__(
        self,
        emit: Callable[[Event], None],
        take_amounts: Callable[[], dict[str, float]],
        failed: Callable[[BaseException], None],
    ) -> None:
        self._emit = emit
        self._take_amounts = take_amounts
        self._failed = failed
        self._process = psutil.Process()
        self._cpu_seconds: dict[int, float] = {}
        self._last = time.monotonic()
        self._has_rates = False
        self._rates: dict[str, Rate] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)

    def start(self) -> None:
        self._tree()  # sets the mark that the first CPU figure is measured from
        self._thread.start()

    def stop(self) -> None:
        """Take the last sample and end the thread."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        try:
            self._memory_only()
            while not self._stopping.wait(INTERVAL_S):
                self._sample()
            self._sample()
            for unit, rate in self._rates.items():
                self._throughput(now(), unit, rate.end(time.monotonic()))
        except OSError as error:
            self._failed(error)

    def _memory_only(self) -> None:
        """The first point: no time has passed that a rate could be measured over."""
        t = now()
        resident, _, pids = self._tree()
        self._emit(Metric(t, "rss_bytes", resident, unit="B"))
        self._gpus(t, pids)

    def _sample(self) -> None:
        t = now()
        moment = time.monotonic()
        elapsed = max(moment - self._last, 1e-3)
        if elapsed < INTERVAL_S / 2 and self._has_rates:
            # The last look may follow the one before at once: a rate over that would be noise.
            self._memory_only()
            return
        before, self._last = self._last, moment
        self._has_rates = True
        resident, cpu_seconds, pids = self._tree()
        self._emit(Metric(t, "rss_bytes", resident, unit="B"))
        self._emit(Metric(t, "cpu_percent", round(100 * cpu_seconds / elapsed, 1), unit="%"))
        for unit, amount in self._take_amounts().items():
            rate = self._rates.setdefault(unit, Rate(before))
            self._throughput(t, unit, rate.look(moment, amount))
        self._gpus(t, pids)
        self._metal(t)

    def _throughput(self, t: float, unit: str, rate: float | None) -> None:
        if rate is not None:
            # What was counted first is the job's throughput.
            name = "throughput" if unit == next(iter(self._rates)) else f"throughput/{unit}"
            self._emit(Metric(t, name, rate, unit=f"{unit}/s"))

    def _tree(self) -> tuple[float, float, set[int]]:
        """Resident bytes, CPU seconds since the last call, and the process ids of this process tree."""
        resident = 0.0
        used = 0.0
        seconds: dict[int, float] = {}
        for process in (self._process, *self._children()):
            try:
                with process.oneshot():
                    resident += process.memory_info().rss
                    times = process.cpu_times()
            except psutil.Error:
                continue  # a child that has just ended
            seconds[process.pid] = times.user + times.system
            used += seconds[process.pid] - self._cpu_seconds.get(process.pid, 0.0)
        self._cpu_seconds = seconds
        return resident, max(used, 0.0), set(seconds)

    def _children(self) -> list[psutil.Process]:
        try:
            return self._process.children(recursive=True)
        except psutil.Error:
            return []

    def _gpus(self, t: float, pids: set[int]) -> None:
        driver = nvidia()
        for reading in driver.readings():
            name = f"gpu{reading.index}"
            own = driver.memory_of(reading.index, pids)
            if reading.percent is not None:
                self._emit(Metric(t, f"{name}_percent", reading.percent, unit="%"))
            memory = reading.memory_used_bytes if own is None else own
            self._emit(Metric(t, f"{name}_memory_bytes", memory, unit="B"))
            if reading.power_w is not None:
                self._emit(Metric(t, f"{name}_power_w", reading.power_w, unit="W"))

    def _metal(self, t: float) -> None:
        """What MLX says of its own memory, only where the operation has loaded it already."""
        core: Any = sys.modules.get("mlx.core")
        if core is None or not hasattr(core, "get_active_memory"):
            return
        self._emit(Metric(t, "metal_memory_bytes", float(core.get_active_memory()), unit="B"))
        self._emit(Metric(t, "metal_peak_bytes", float(core.get_peak_memory()), unit="B"))
