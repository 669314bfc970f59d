"""`tenfold bench`: how fast a model is here, and what it takes in memory."""

from __future__ import annotations

import argparse
import time
from typing import Any, get_args

import msgspec
import psutil

from workbench import __version__
from workbench.cli.answer import Answer, table
from workbench.cli.loading import NamedModel, find_model
from workbench.engines.request import EngineName, LoadOptions
from workbench.hardware import machine, physical_cores
from workbench.home import Home
from workbench.jobs.events import Log, Progress
from workbench.jobs.terminal import TerminalWatch
from workbench.measure.bench import bench
from workbench.measure.bench_process import Bench
from workbench.measure.card import Cache, Conditions, Memory, Rate, Speed
from workbench.measure.figures import seconds_text, share_text, size_text, tokens_text
from workbench.measure.limits import Limits, measured_limits
from workbench.measure.measured import machine_name
from workbench.measure.speed import SpeedPlan
from workbench.session import Session

#: How long is looked at what else computes here, and from when on that is said.
_LOOK_S, _BUSY_PERCENT = 0.3, 25.0


def add_to(commands: Any, common: argparse.ArgumentParser) -> None:
    parser = commands.add_parser(
        "bench",
        help="how fast a model is here, and what it takes",
        parents=[common],
        description="Each speed is the median of several runs with its 95 % interval, beside what this "
        "machine can do; one whose interval stays wider than a tenth of it is called noisy. Close what else "
        "computes.",
    )
    parser.add_argument("model", help="id or name in the library, or a path")
    parser.add_argument("--quick", action="store_true", help="a few figures in a quarter of a minute")
    parser.add_argument("--batch", type=_counts, default=(), metavar="N,N", help="sequences at once")
    parser.add_argument("--prompt", type=_counts, default=(), metavar="N,N", help="prompt lengths in tokens")
    parser.add_argument(
        "--depth", type=_counts, default=(), metavar="N,N", help="tokens in the context before decoding"
    )
    parser.add_argument("--seconds", type=_seconds, help="how long it may take, loading not counted")
    parser.add_argument("--seed", type=int, default=0, help="of the random prompts (0)")
    group = parser.add_argument_group("loading")
    group.add_argument(
        "--engine", choices=get_args(EngineName), help="chosen by format and machine unless given"
    )
    group.add_argument("--threads", type=_count, help="CPU threads; the physical cores unless given")
    group.add_argument("--gpu-layers", type=int, help="layers on the GPU; all that fit unless given")
    parser.set_defaults(command=_bench)


def _bench(home: Home, arguments: argparse.Namespace) -> Answer:
    plan = SpeedPlan.of(
        "quick" if arguments.quick else "full",
        batches=arguments.batch,
        prompts=arguments.prompt,
        depths=arguments.depth,
        budget_s=arguments.seconds,
        seed=arguments.seed,
    )
    threads = arguments.threads or physical_cores()
    with Session.open(home, supervise=False) as session:
        model = find_model(session, arguments.model)
    watch = TerminalWatch()

    def progress(done: int, total: int) -> None:
        watch(Progress(t=time.time(), done=done, total=total, unit="figures", label="measuring"))

    began = time.monotonic()
    busy = psutil.cpu_percent(_LOOK_S)
    if busy > _BUSY_PERCENT:
        said = f"Other programs use {busy:.0f} % of the processor; the figures will be lower and noisy."
        watch(Log(t=time.time(), text=said, level="warning"))
    limits = measured_limits(home.cache, threads, again=not arguments.quick)
    found = bench(_options(model, arguments, threads), plan, limits, progress)
    watch(Log(t=time.time(), text=f"Measured in {time.monotonic() - began:.0f} s."))
    if found.plan.batches != plan.batches:
        left_out = ", ".join(str(each) for each in plan.batches if each not in found.plan.batches)
        watch(Log(t=time.time(), text=f"Not measured for lack of memory: batches of {left_out}."))
    conditions = _conditions(found, limits, threads)
    data = {
        "model": {
            "id": model.id,
            "name": model.name,
            "path": str(model.path),
            "format": model.format,
            "architecture": model.architecture,
        },
        "speed": msgspec.to_builtins(found.speed),
        "memory": msgspec.to_builtins(found.memory),
        "conditions": msgspec.to_builtins(conditions),
    }
    return Answer(_words(model, found, conditions), data)


def _options(model: NamedModel, arguments: argparse.Namespace, threads: int) -> LoadOptions:
    return LoadOptions(
        path=str(model.path),
        format=model.format,
        engine=arguments.engine,
        threads=threads,
        gpu_layers=arguments.gpu_layers,
        adapters=model.adapters,
    )


def _conditions(found: Bench, limits: Limits, threads: int) -> Conditions:
    here = machine()
    return Conditions(
        made_at=time.time(),
        form=found.plan.form,
        machine=machine_name(here),
        system=here.os,
        threads=threads,
        engine=f"{found.report.version} on {found.report.device.partition(',')[0]}",
        tenfold=__version__,
        seed=found.plan.seed,
        bandwidth=limits.bandwidth,
        arithmetic=limits.arithmetic,
    )


def _words(model: NamedModel, found: Bench, conditions: Conditions) -> str:
    threads = f"{conditions.threads} thread{'s' if conditions.threads != 1 else ''}"
    return "\n".join(
        [
            f"{model.name}: {conditions.engine}, {threads}, {conditions.machine}",
            f"The machine: {conditions.bandwidth / 1e9:.1f} GB/s of memory bandwidth,"
            f" {conditions.arithmetic / 1e9:.0f} billion operations a second in matrix products",
            "",
            _rates(found.speed),
            "",
            _times(found.speed),
            "",
            _memory(found.memory),
        ]
    )


def _rates(speed: Speed) -> str:
    rows = [_row(f"prompt of {tokens_text(each.tokens)}", each, "arithmetic") for each in speed.prompt]
    for each in speed.decode:
        beside = f"{each.batch} answers" if each.batch > 1 else "one answer"
        limit = "arithmetic" if each.batch > 1 else "bandwidth"
        rows.append(_row(f"{beside} after {tokens_text(each.tokens)}", each, limit))
    return table(["SPEED", "TOKENS/S", "95 % INTERVAL", "RUNS", "OF THE MACHINE", ""], rows)


def _row(label: str, rate: Rate, limit: str) -> tuple[str, ...]:
    share = f"{share_text(rate.share)} of {limit}" if rate.share is not None else ""
    interval = f"{_speed(rate.low)} to {_speed(rate.high)}"
    return (label, _speed(rate.tokens_per_s), interval, str(rate.runs), share, "noisy" if rate.noisy else "")


def _times(speed: Speed) -> str:
    rows = [
        (f"first token after {tokens_text(speed.first_token_prompt)}", seconds_text(speed.first_token_s)),
        ("between two tokens, 50 %", seconds_text(speed.gap_p50_s)),
        ("between two tokens, 95 %", seconds_text(speed.gap_p95_s)),
        ("between two tokens, 99 %", seconds_text(speed.gap_p99_s)),
        ("loading", seconds_text(speed.load_s)),
    ]
    return table(["TIME", ""], rows)


def _memory(memory: Memory) -> str:
    rows = [
        ("weights", size_text(memory.weights)),
        *((_cache_label(each), size_text(each.bytes)) for each in memory.caches),
        ("peak of this measurement", size_text(memory.peak)),
        ("its estimate", size_text(memory.estimated)),
        ("this machine has", size_text(memory.limit)),
    ]
    return table(["MEMORY", ""], rows)


def _cache_label(cache: Cache) -> str:
    beside = f" × {cache.batch}" if cache.batch > 1 else ""
    return f"keys and values of {tokens_text(cache.context)}{beside}"


def _speed(tokens_per_s: float) -> str:
    return f"{tokens_per_s:.0f}" if tokens_per_s >= 100 else f"{tokens_per_s:.1f}"


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("it must be 1 or more")
    return value


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError("it must be more than 0")
    return value


def _counts(text: str) -> tuple[int, ...]:
    """Whole numbers from 1 on, divided by commas; each once, in rising order.

    >>> _counts("16,1,4,4")
    (1, 4, 16)
    """
    return tuple(sorted({_count(each) for each in text.split(",")}))
