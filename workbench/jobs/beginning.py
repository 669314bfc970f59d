"""What a run says before it works: which job it is, where nobody wrote that down, and on which machine."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workbench import __version__
from workbench.hardware import machine
from workbench.jobs.events import EventTail, Machine, Spec, now
from workbench.jobs.spec import JobSpec, ModelInput, ReaderInput
from workbench.plugin import Operation


def begins_with_spec(events: Path) -> bool:
    """Whether a job's events say already what it is, as those of a home do; a script's own folder is new."""
    return any(isinstance(event, Spec) for event in EventTail(events).read(1 << 16)[:1])


def spec_of_run(
    operation: Operation,
    plugin: str,
    params: Mapping[str, Any],
    *,
    model: ModelInput | None,
    seed: int,
    output_name: str,
    readers: tuple[ReaderInput, ...] = (),
) -> JobSpec:
    """What a script does, from its operation and the values that the command line left it."""
    return JobSpec(
        operation=operation.name,
        plugin=plugin,
        title=f"{operation.title}: {model.name}" if model is not None else operation.title,
        model=model,
        params=dict(params),
        readers=readers,
        seed=seed,
        needs=operation.needs,
        output_name=output_name,
        output_format=operation.output,
        resumable=operation.resumable,
        restarts=operation.restarts,
        backend=operation.backend,
        requires=operation.requires,
        tenfold_version=__version__,
        api_version=operation.api_version,
    )


def this_machine() -> Machine:
    """The machine that this process runs on."""
    here = machine()
    return Machine(
        now(),
        platform.node(),
        here.cpu_name,
        here.cores,
        here.ram_bytes,
        tuple(gpu.name for gpu in here.gpus),
        here.os,
    )
