"""Loads a model for real in a child process, and keeps what that took."""

from __future__ import annotations

import json
import subprocess
import sys
import time

from workbench.errors import WorkbenchError
from workbench.jobs.processes import no_console
from workbench.library.load_history import Load, LoadHistory
from workbench.library.memory_need import engine_of, memory_need
from workbench.library.records import ModelRecord
from workbench.model import ModelFacts

#: A large model on a slow disk takes minutes.
_LIMIT_S = 900.0


def measure(record: ModelRecord, facts: ModelFacts, history: LoadHistory, *, context: int, batch: int) -> int:
    """Load a model, measure the peak in bytes, and add it to the history.

    Raises:
        WorkbenchError: It could not be loaded; nothing is kept then.
    """
    words = [record.format, str(record.path), str(context), str(batch)]
    try:
        ended = subprocess.run(
            [sys.executable, "-P", "-m", "workbench.engines.load_probe", *words],
            capture_output=True,
            text=True,
            timeout=_LIMIT_S,
            check=False,
            creationflags=no_console(),
        )
    except subprocess.TimeoutExpired as error:
        raise WorkbenchError(
            f"Loading {record.name} took longer than {_LIMIT_S / 60:.0f} minutes."
        ) from error
    try:
        said = json.loads(ended.stdout.strip().splitlines()[-1])
    except (ValueError, IndexError):
        said = {"error": f"the process ended with code {ended.returncode}"}
    if "peak_bytes" not in said:
        raise WorkbenchError(
            f"{record.name} could not be loaded: {said.get('error')}.",
            remedy="`tenfold doctor` says whether its backend works.",
            details=ended.stderr[-4000:],
        )
    engine = engine_of(facts.format)
    load = Load(
        architecture=facts.architecture or "",
        engine=engine,
        format=record.format,
        context=context,
        batch=batch,
        estimated_bytes=memory_need(facts, engine, context=context, batch=batch).total_bytes,
        measured_bytes=int(said["peak_bytes"]),
    )
    history.record(load, model_id=record.id, created_at=time.time())
    return load.measured_bytes
