"""Turns what ended an operation into the last events of its job."""

from __future__ import annotations

import errno
import traceback
from dataclasses import dataclass
from pathlib import Path

from workbench.errors import (
    DiskFullError,
    JobCancelled,
    JobPaused,
    OutOfMemoryError,
    UsageError,
    WorkbenchError,
)
from workbench.jobs import exits
from workbench.jobs.events import Error, JobState, now

_FULL = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)})
#: What backends say in their own exception types when memory is short.
_MEMORY_SIGNS = (
    "out of memory",
    "cannot allocate memory",
    "bad_alloc",
    "can't allocate memory",
    "bad allocation",
)


@dataclass(frozen=True)
class LastWord:
    """The state that a job ends in, its exit code, and the error to report before."""

    state: JobState
    code: int
    error: Error | None = None


def last_word(problem: BaseException, folder: Path) -> LastWord:
    """What to say of an exception that reached the worker's top.

    Args:
        folder: The job's folder, to name the disk that is full.
    """
    if isinstance(problem, JobCancelled | KeyboardInterrupt):
        return LastWord("cancelled", exits.CANCELLED)
    if isinstance(problem, JobPaused):
        return LastWord("paused", exits.PAUSED)
    known = _known(problem, folder)
    code = exits.USAGE if isinstance(known, UsageError) else exits.FAILED
    if known is not None:
        return LastWord("failed", code, Error(now(), known.kind, known.message, known.remedy, known.details))
    details = "".join(traceback.format_exception(problem))
    message = f"The operation failed with an error that it does not explain: {_name(problem)}"
    remedy = "The details say where; if it is one of Tenfold's own operations, please report it."
    return LastWord("failed", exits.FAILED, Error(now(), "bug", message, remedy, details))


def _known(problem: BaseException, folder: Path) -> WorkbenchError | None:
    if isinstance(problem, WorkbenchError):
        return problem
    if isinstance(problem, OSError) and problem.errno in _FULL:
        full = DiskFullError(Path(problem.filename) if isinstance(problem.filename, str) else folder)
        full.details = "".join(traceback.format_exception(problem))
        return full
    text = str(problem).lower()
    if isinstance(problem, MemoryError) or any(sign in text for sign in _MEMORY_SIGNS):
        return OutOfMemoryError(
            "The operation needed more memory than was free.",
            remedy="Close other programs, or choose a smaller model, then run it again.",
            details="".join(traceback.format_exception(problem)),
        )
    if isinstance(problem, ModuleNotFoundError):
        return WorkbenchError(
            f"The Python package {problem.name} is not installed.",
            remedy="`tenfold doctor` says what installs it.",
            details="".join(traceback.format_exception(problem)),
        )
    return None


def _name(problem: BaseException) -> str:
    first = (str(problem).strip().splitlines() or [""])[0]
    return f"{type(problem).__name__}: {first}".rstrip(": ") + "."
