"""Has a plugin's metric measure one model, at arm's length: in a process of its own, which may fail."""

from __future__ import annotations

import contextlib
import queue
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import IO

import psutil
from msgspec import Struct

from workbench.engines.wire import ErrorInfo
from workbench.errors import WorkbenchError
from workbench.jobs.exits import words
from workbench.jobs.processes import no_console
from workbench.measure.card import Figure
from workbench.measure.metric_wire import Broken, Declared, Found, Moment, Order, decode_said, encode
from workbench.plugin.measuring import PATIENCE_S

#: Between two looks whether the job was cancelled.
_TICK_S = 0.1
#: How long a process that has said its last word may take to free its memory.
_CLOSE_S = 10.0
#: No message is nearly as long; a plugin that writes into the pipe itself may try.
_LONGEST_LINE_BYTES = 1 << 20
#: Of what it printed, the pieces that are kept for the log.
_PIECE_BYTES, _PIECES_KEPT = 1024, 4


class MetricError(WorkbenchError):
    """A metric could not be measured. The details hold its traceback, or what it printed last."""

    kind = "metric"


class MeasuredMetric(Struct, frozen=True, kw_only=True):
    """What a metric says of itself, and what it found of one model."""

    declared: Declared
    figure: Figure


def measure_metric(
    order: Order,
    progress: Callable[[float], None] = lambda _share: None,
    *,
    declared: Callable[[Declared], None] = lambda _said: None,
    patience_s: float = PATIENCE_S,
) -> MeasuredMetric:
    """Let a metric measure one model.

    Args:
        progress: Hears some times a second how far it is, from 0 to 1; what it raises ends the metric.
        declared: Hears what the metric says of itself, before the model is loaded.
        patience_s: How long the process may tell nothing before the metric has said what it needs.

    Raises:
        MetricError: It can't be imported, raised, returned no figure, hung, or ended its process.
    """
    with _Measuring(order, patience_s) as measuring:
        return measuring.result(progress, declared)


class _Measuring:
    """One process that measures."""

    def __init__(self, order: Order, patience_s: float) -> None:
        self._patience_s = patience_s
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "workbench.measure.metric_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            creationflags=no_console(),
        )
        self._lines: queue.Queue[bytes | None] = queue.Queue()
        self._printed: deque[bytes] = deque(maxlen=_PIECES_KEPT)
        self._said, self._errors = _pipe(self._process.stdout), _pipe(self._process.stderr)
        self._listeners = [
            threading.Thread(target=_read_lines, args=(self._said, self._lines), daemon=True),
            threading.Thread(target=_read_pieces, args=(self._errors, self._printed), daemon=True),
        ]
        for each in self._listeners:
            each.start()
        self._order(order)

    def __enter__(self) -> _Measuring:
        return self

    def __exit__(self, *_problem: object) -> None:
        _kill(self._process)
        for each in self._listeners:
            each.join(1.0)
        for pipe, listener in zip((self._said, self._errors), self._listeners, strict=True):
            # One that left the family may hold the pipe open still, and closing would wait for its reader.
            if not listener.is_alive():
                pipe.close()

    def result(
        self, progress: Callable[[float], None], declared: Callable[[Declared], None]
    ) -> MeasuredMetric:
        own: Declared | None = None
        share = 0.0
        until = time.monotonic() + self._patience_s
        while True:
            progress(share)
            try:
                line = self._lines.get(timeout=_TICK_S)
            except queue.Empty:
                if time.monotonic() > until:
                    raise self._failed(f"it told nothing for {self._patience_s:g} seconds") from None
                continue
            match self._message(line):
                case Declared() as own:
                    self._patience_s = own.patience_s
                    declared(own)
                case Moment(share=told):
                    share = min(max(told, 0.0), 1.0)
                case Found(figure=figure) if own is not None:
                    self._let_end()
                    return MeasuredMetric(declared=own, figure=figure)
                case Broken(error=error):
                    raise _broken(error)
            until = time.monotonic() + self._patience_s

    def _message(self, line: bytes | None) -> Declared | Moment | Found | Broken:
        if line is None:
            code = self._process.wait()
            self._listeners[1].join(1.0)
            raise self._failed(f"its process ended. {words(code)}".rstrip("."))
        try:
            return decode_said(line)
        except ValueError:
            raise self._failed("what it said can't be understood") from None

    def _failed(self, reason: str) -> MetricError:
        return MetricError(reason, details=b"".join(self._printed).decode("utf-8", "replace"))

    def _order(self, order: Order) -> None:
        pipe = _pipe(self._process.stdin)
        try:
            pipe.write(encode(order))
            pipe.flush()
        except OSError:
            # It died at once; what it said of that is read like anything else.
            return

    def _let_end(self) -> None:
        """Wait until it has freed its memory: a killed MLX process can leave some wired behind on a Mac."""
        try:
            self._process.wait(_CLOSE_S)
        except subprocess.TimeoutExpired:
            return


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a process and what it started; whatever left its family ends with the job."""
    if process.poll() is None:
        with contextlib.suppress(psutil.Error):
            for child in psutil.Process(process.pid).children(recursive=True):
                child.kill()
        process.kill()
    process.wait()


def _broken(error: ErrorInfo) -> MetricError:
    return MetricError(error.message.rstrip("."), details=error.details)


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise RuntimeError("the process was started without this pipe")
    return pipe


def _read_lines(pipe: IO[bytes], lines: queue.Queue[bytes | None]) -> None:
    while line := pipe.readline(_LONGEST_LINE_BYTES):
        lines.put(line)
    lines.put(None)


def _read_pieces(pipe: IO[bytes], kept: deque[bytes]) -> None:
    while piece := pipe.read1(_PIECE_BYTES):  # type: ignore[attr-defined]
        kept.append(piece)
