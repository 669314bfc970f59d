"""The process in which one model is measured: reads what to do from its input, writes what it found.

Started as `python -P -m workbench.measure.bench_process`; one JSON object a line. The end of its input asks
it to end. A crash in a backend ends this process and nothing else.
"""

from __future__ import annotations

import signal
import sys
import threading
import traceback
from pathlib import Path
from typing import Any, BinaryIO, Literal

import msgspec
from msgspec import Struct

from workbench.engines.base import Engine
from workbench.engines.load import import_backend, open_engine
from workbench.engines.request import LoadOptions
from workbench.engines.wire import ErrorInfo, LoadReport
from workbench.errors import OutOfMemoryError, WorkbenchError
from workbench.library.inspect import inspect
from workbench.measure.card import Memory, Speed
from workbench.measure.limits import Limits, bound
from workbench.measure.memory import MemoryMark, measure_memory
from workbench.measure.speed import SpeedPlan, measure_speed
from workbench.measure.work import work_of
from workbench.private_output import private_output


class Order(Struct, frozen=True, kw_only=True):
    """What to measure; see `workbench.measure.bench.bench`."""

    options: LoadOptions
    plan: SpeedPlan
    limits: Limits | None = None


class Moment(Struct, frozen=True, kw_only=True, tag="moment"):
    """How far it is."""

    what: Literal["loading", "speed"]
    done: float
    total: float


class Bench(Struct, frozen=True, kw_only=True, tag="bench"):
    """What was measured.

    Attributes:
        plan: What was really measured: batches that do not fit into the memory are left out of it.
        report: How the model was loaded.
    """

    speed: Speed
    memory: Memory
    plan: SpeedPlan
    report: LoadReport


class Broken(Struct, frozen=True, kw_only=True, tag="broken"):
    """Why there is no result."""

    error: ErrorInfo


_SAID: msgspec.json.Decoder[Any] = msgspec.json.Decoder(Moment | Bench | Broken)


def encode(message: Order | Moment | Bench | Broken) -> bytes:
    """A message as one line, the line end included."""
    return msgspec.json.encode(message) + b"\n"


def decode_said(line: bytes) -> Moment | Bench | Broken:
    """What the process said."""
    found: Moment | Bench | Broken = _SAID.decode(line)
    return found


class _Unwanted(Exception):  # noqa: N818 - control flow, not a fault
    """Nobody waits for the result any more."""


def main() -> int:
    """Measure what is ordered; exit code 1 where that was not possible."""
    out = private_output()
    # Ctrl+C in a terminal reaches the whole group; whoever ordered this decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        order = msgspec.json.decode(sys.stdin.buffer.readline(), type=Order)
        unwanted = threading.Event()
        threading.Thread(target=_wait_for_end, args=(unwanted,), daemon=True).start()
        said: Bench | Broken = _measured(order, out, unwanted)
    except (_Unwanted, BrokenPipeError):
        return 1
    except WorkbenchError as error:
        said = Broken(error=ErrorInfo.of(error))
    except Exception as error:  # noqa: BLE001 - whatever a backend raises is the reason that the person sees
        message = f"The model could not be measured: {type(error).__name__}: {error}"
        info = ErrorInfo(kind="engine", message=message, details=traceback.format_exc())
        said = Broken(error=info)
    try:
        out.write(encode(said))
    except BrokenPipeError:
        return 1
    return 0 if isinstance(said, Bench) else 1


def _measured(order: Order, out: BinaryIO, unwanted: threading.Event) -> Bench:
    def tell(what: Literal["loading", "speed"], done: float, total: float) -> None:
        if unwanted.is_set():
            raise _Unwanted
        out.write(encode(Moment(what=what, done=done, total=total)))

    facts = inspect(Path(order.options.path))
    tell("loading", 0, 1)
    import_backend(order.options)
    mark = MemoryMark()
    engine, plan = _opened(order)
    try:
        tell("loading", 1, 1)
        work = work_of(facts)
        speed = measure_speed(
            engine,
            plan,
            order.limits if bound(engine.report) else None,
            work.bytes,
            lambda done, total: tell("speed", done, total),
            parameters=work.parameters,
            prompt_parameters=work.prompt_parameters,
        )
        memory = measure_memory(facts, engine.report, mark.peak_bytes(engine))
        return Bench(speed=speed, memory=memory, plan=plan, report=engine.report)
    finally:
        engine.close()


def _opened(order: Order) -> tuple[Engine, SpeedPlan]:
    """The model, loaded for as many of the plan's batches as the memory allows, and the plan for these."""
    plan = order.plan
    while True:
        options = msgspec.structs.replace(order.options, parallel=plan.parallel, context=plan.context)
        try:
            return open_engine(options), plan
        except OutOfMemoryError:
            fewer = tuple(each for each in plan.batches if each < plan.parallel)
            if not fewer:
                raise
            plan = msgspec.structs.replace(plan, batches=fewer)


def _wait_for_end(unwanted: threading.Event) -> None:
    sys.stdin.buffer.read()
    unwanted.set()


if __name__ == "__main__":
    raise SystemExit(main())
