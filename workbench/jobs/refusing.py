"""Says why a job can't even begin."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from workbench.errors import UsageError, WorkbenchError
from workbench.jobs import exits
from workbench.jobs.events import State, now
from workbench.jobs.last_word import last_word
from workbench.jobs.sink import EventSink


def refuse(argv: Sequence[str], error: Exception) -> int:
    """Say why on standard error; in a job folder also as events, so that lists can show it.

    Returns:
        The exit code: 2 for wrong use, 1 for all else.
    """
    sys.stderr.write(f"{error}\n")
    if isinstance(error, WorkbenchError) and error.details:
        sys.stderr.write(error.details + "\n")
    folder = _job_dir(argv)
    if folder is not None and folder.is_dir():
        word = last_word(error, folder)
        sink = EventSink(folder / "events.jsonl")
        sink.make_room()
        if word.error is not None:
            sink.emit(word.error)
        sink.emit(State(now(), "failed", reason=word.error.message if word.error else ""))
        sink.close()
    return exits.USAGE if isinstance(error, UsageError) else exits.FAILED


def _job_dir(argv: Sequence[str]) -> Path | None:
    for place, word in enumerate(argv):
        if word == "--job-dir" and place + 1 < len(argv):
            return Path(argv[place + 1])
        if word.startswith("--job-dir="):
            return Path(word.partition("=")[2])
    return None
