"""The process in which a plugin's metric measures one model: reads its order, writes what was found.

Started as `python -P -m workbench.measure.metric_process`; one JSON object a line. The end of its input asks
it to end. Whatever the plugin does ends this process at most.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import BinaryIO

import msgspec

from workbench.engines.load import open_engine
from workbench.engines.wire import ErrorInfo
from workbench.errors import NotFoundError, PluginError, WorkbenchError
from workbench.jobs.loading import import_plugin
from workbench.measure.card import Figure
from workbench.measure.metric_context import MetricContext, MetricResult
from workbench.measure.metric_wire import Broken, Declared, Found, Moment, Order, check_figure, encode
from workbench.plugin.measuring import MetricMethod, metrics_in
from workbench.private_output import private_output

#: How long a metric may go on after nobody waits for it any more.
_END_WAIT_S = 5.0
#: Progress is told no more often than this: an eye follows ten a second.
_TELL_EVERY_S = 0.1


class _Unwanted(Exception):  # noqa: N818 - control flow, not a fault
    """Nobody waits for the figure any more."""


def main() -> int:
    """Measure what is ordered; exit code 1 where that was not possible."""
    out = private_output()
    # Ctrl+C in a terminal reaches the whole group; whoever ordered this decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    order = msgspec.json.decode(sys.stdin.buffer.readline(), type=Order)
    unwanted = threading.Event()
    threading.Thread(target=_wait_for_end, args=(unwanted,), daemon=True).start()
    said: Found | Broken
    try:
        said = Found(figure=_measured(order, _Voice(out, unwanted)))
    except (_Unwanted, BrokenPipeError):
        return 1
    except WorkbenchError as error:
        said = Broken(error=ErrorInfo.of(error))
    except BaseException as error:  # noqa: BLE001 - a plugin may raise anything at all
        message = f"{type(error).__name__}: {error}"
        said = Broken(error=ErrorInfo(kind="plugin", message=message, details=traceback.format_exc()))
    try:
        out.write(encode(said))
    except BrokenPipeError:
        return 1
    return 0 if isinstance(said, Found) else 1


class _Voice:
    """Tells how far it is, and stops the work where nobody waits for it."""

    def __init__(self, out: BinaryIO, unwanted: threading.Event) -> None:
        self._out = out
        self._unwanted = unwanted
        self._next = 0.0

    def declare(self, method: MetricMethod) -> None:
        said = Declared(
            title=method.title, unit=method.unit, better=method.better, patience_s=method.patience_s
        )
        self._out.write(encode(said))

    def tell(self, done: float, total: float) -> None:
        if self._unwanted.is_set():
            raise _Unwanted
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _TELL_EVERY_S
            self._out.write(encode(Moment(share=done / total if total > 0 else 0.0)))


def _measured(order: Order, voice: _Voice) -> Figure:
    method = _method(order)
    voice.declare(method)
    engine = open_engine(order.options, lambda _fraction: voice.tell(0, 1))
    try:
        context = MetricContext(
            engine,
            prompts=order.prompts,
            text=order.text,
            seed=order.seed,
            threads=order.threads,
            tell=voice.tell,
        )
        return as_figure(method.measure(context))
    finally:
        engine.close()


def as_figure(returned: object) -> Figure:
    """What a metric returned, as a figure of a card; a number of NumPy or PyTorch is one too.

    Raises:
        PluginError: It is neither a number nor a `MetricResult` of numbers that make sense.
    """
    whole = returned if isinstance(returned, MetricResult) else MetricResult(value=returned)  # type: ignore[arg-type]
    try:
        if any(isinstance(each, bool | str | bytes) for each in (whole.value, whole.error, whole.n)):
            raise TypeError("no number")
        figure = Figure(value=float(whole.value), error=float(whole.error), n=int(whole.n))
        check_figure(figure)
    except Exception as error:
        raise PluginError(f"it returned {returned!r:.80}, which is no figure") from error
    return figure


def _method(order: Order) -> MetricMethod:
    for folder in order.folders:
        # Behind everything else: a plugin's file must not take the place of a module of Python's own.
        if folder not in sys.path:
            sys.path.append(folder)
    module = import_plugin(order.plugin, [Path(each) for each in order.folders])
    for method in metrics_in(vars(module)):
        if method.name == order.name:
            return method
    raise NotFoundError(f"The plugin {order.plugin} offers no metric “{order.name}”.")


def _wait_for_end(unwanted: threading.Event) -> None:
    sys.stdin.buffer.read()
    unwanted.set()
    # One that hangs tells no progress, and would never hear of it.
    time.sleep(_END_WAIT_S)
    os._exit(1)


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    # Threads that the plugin left running must not keep the process alive.
    os._exit(code)
