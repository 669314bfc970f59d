"""What this machine can do at most: how fast it reads its memory, and how fast it multiplies.

A speed says little by itself; beside the machine's limit it says whether there is anything left to gain. One
sequence is decoded as fast as the weights can be read: each token needs all of them once. Prompts and batches
use each weight for many tokens, and so come up against the arithmetic instead.

Both limits are measured, by a probe of about two seconds in a process of its own, and remembered for the
machine and the number of threads:

- **Bandwidth** is the best of copying and of scanning arrays that no cache holds (the idea of STREAM,
  McCalpin 1995), in bytes read and written. A model that fits into the processor's caches can exceed it.
- **Arithmetic** is that of a large matrix product in float32, by NumPy's BLAS. An engine that multiplies in
  narrower types, as llama.cpp does with quantized weights, can exceed it where the processor is faster at
  these.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from msgspec import Struct

from workbench.engines.wire import LoadReport
from workbench.errors import WorkbenchError
from workbench.hardware import machine, physical_cores
from workbench.jobs.processes import no_console
from workbench.tuning.probe import remembered

_FILE = "limits.json"
#: A machine that swaps takes long to fill the arrays.
_LIMIT_S = 120.0
#: What the BLAS libraries that NumPy is built with look at when they are loaded.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


class Limits(Struct, frozen=True, kw_only=True):
    """Of this machine's processor, with some number of threads.

    Attributes:
        bandwidth: Of the memory, bytes a second.
        arithmetic: Operations a second, a multiplication and an addition counted as two.
    """

    bandwidth: float
    arithmetic: float


class LimitsError(WorkbenchError):
    """The machine's limits can't be measured."""

    kind = "limits"


def measured_limits(cache: Path, threads: int | None = None, *, again: bool = False) -> Limits:
    """The limits of this machine; takes about two seconds the first time.

    Args:
        cache: The folder that remembers them (`Home.cache`).
        threads: How many compute; the physical cores unless given.
        again: Measure in any case, in case that the machine was busy the last time; the better counts.

    Raises:
        LimitsError: The probe failed.
    """
    count = threads or physical_cores()
    names = (f"bandwidth, {count} threads", f"arithmetic, {count} threads")

    def measure() -> dict[str, float]:
        found = _probed(count)
        return dict(zip(names, (found.bandwidth, found.arithmetic), strict=True))

    kept = remembered(cache / _FILE, machine(), names, measure, again=again)
    return Limits(bandwidth=kept[names[0]], arithmetic=kept[names[1]])


def bound(report: LoadReport) -> bool:
    """Whether these limits are those of a loaded model: not where a device computes some of it.

    Of a device nothing is measured, so its shares are not told.
    """
    return report.device.startswith("CPU")


def _probed(threads: int) -> Limits:
    """Measure in a process of its own, as BLAS takes its number of threads when it is loaded."""
    try:
        ended = subprocess.run(
            [sys.executable, "-P", "-m", "workbench.measure.limits_probe", str(threads)],
            capture_output=True,
            text=True,
            timeout=_LIMIT_S,
            check=False,
            creationflags=no_console(),
            env={**os.environ, **dict.fromkeys(_THREADS, str(threads))},
        )
    except subprocess.TimeoutExpired as error:
        raise LimitsError(f"Measuring the machine took longer than {_LIMIT_S:.0f} s.") from error
    try:
        said = json.loads(ended.stdout)
        return Limits(bandwidth=float(said["bandwidth"]), arithmetic=float(said["arithmetic"]))
    except (ValueError, KeyError, TypeError) as error:
        raise LimitsError(
            "The speed of this machine's memory and arithmetic could not be measured.",
            remedy="Close what uses much memory, and try again.",
            details=ended.stderr[-4000:],
        ) from error
