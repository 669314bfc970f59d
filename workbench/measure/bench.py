"""Measures speed and memory of one model in a process of its own, with nothing else in it."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
from typing import IO

from workbench.engines.errors import EngineError
from workbench.engines.request import LoadOptions
from workbench.jobs.exits import words
from workbench.jobs.processes import no_console
from workbench.measure.bench_process import Bench, Broken, Moment, Order, decode_said, encode
from workbench.measure.limits import Limits
from workbench.measure.speed import Progress, SpeedPlan

#: How long a process that was asked to end may take to free its memory.
_CLOSE_S = 10.0


def bench(
    options: LoadOptions,
    plan: SpeedPlan,
    limits: Limits | None,
    progress: Progress = lambda _done, _total: None,
    *,
    loading: Callable[[float], None] = lambda _fraction: None,
) -> Bench:
    """Load a model for a plan, and measure its speed and memory.

    Args:
        options: What to load and how; the plan decides on context and parallel requests.
        limits: Of this machine (`measured_limits`); None where they are not known.
        progress: Hears of every figure, with how many there are; what it raises ends the measurement.
        loading: Hears from 0 to 1 how much is loaded; may raise too.

    Raises:
        EngineError: The model could not be loaded or measured, or its process died. Its `kind` is that of the
            error in the process.
    """
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "workbench.measure.bench_process"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        creationflags=no_console(),
    )
    said, errors = _pipe(process.stdout), _pipe(process.stderr)
    log: deque[str] = deque(maxlen=60)
    listener = threading.Thread(target=_listen, args=(errors, log), daemon=True)
    listener.start()
    try:
        _order(_pipe(process.stdin), Order(options=options, plan=plan, limits=limits))
        for line in said:
            match decode_said(line):
                case Moment(what="loading", done=done, total=total):
                    loading(done / total)
                case Moment(done=done, total=total):
                    progress(round(done), round(total))
                case Broken(error=error):
                    broken = EngineError(error.message, remedy=error.remedy, details=error.details)
                    broken.kind = error.kind
                    raise broken
                case Bench() as found:
                    return found
        code = process.wait()
        listener.join(1.0)
        raise EngineError(
            f"The measuring process ended. {words(code)}",
            remedy="Measure smaller batches, prompts or depths.",
            details="\n".join(log),
        )
    finally:
        _end(process)
        listener.join(1.0)
        said.close()
        errors.close()


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise RuntimeError("the process was started without this pipe")
    return pipe


def _order(pipe: IO[bytes], order: Order) -> None:
    try:
        pipe.write(encode(order))
        pipe.flush()
    except OSError:
        # It died at once; what it said of that is read like anything else.
        return


def _listen(pipe: IO[bytes], log: deque[str]) -> None:
    for line in pipe:
        log.append(line.decode("utf-8", errors="replace").rstrip())


def _end(process: subprocess.Popen[bytes]) -> None:
    """The end of its input asks the process to end; one that does not is killed."""
    try:
        if process.stdin is not None:
            process.stdin.close()
    except OSError:
        # What was still to be written has no reader any more.
        pass
    try:
        process.wait(_CLOSE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
