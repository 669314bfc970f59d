"""Decides how a job ends whose worker could not say so itself, and whether it is tried once more."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from workbench.errors import WorkbenchError
from workbench.jobs import exits
from workbench.jobs.events import Artifact, Error, JobState, now
from workbench.jobs.folder import last_log_lines

#: A worker that was killed from outside is started once more by itself; every other failure is the
#: person's to judge, since it would only fail again.
_MAX_ATTEMPTS = 2


@dataclass(frozen=True)
class Ending:
    """The state that a job enters, why, and what goes with it."""

    state: JobState
    reason: str = ""
    error: Error | None = None
    artifact: Artifact | None = None


def death(
    folder: Path, exit_code: int | None, *, attempts: int, cancelled: bool, away: bool = False
) -> Ending:
    """The ending of a job whose worker is gone without a last word.

    Args:
        exit_code: What the system said of it; None where nobody saw it end.
        attempts: How often it was started so far.
        cancelled: Whether it was asked to cancel.
        away: Whether the job itself goes on elsewhere, and only the worker here that followed it is gone.
    """
    if cancelled:
        return Ending("cancelled", "It did not end by itself in time, so it was ended by force.")
    if away and (exit_code is None or attempts < _MAX_ATTEMPTS):
        return Ending("queued", "The worker that followed it ended. The job is looked for again.")
    said = exits.words(exit_code)
    kind = exits.kind(exit_code)
    if exit_code is not None and kind == "killed" and attempts < _MAX_ATTEMPTS:
        return Ending("queued", f"{said} Trying once more.")
    last_words = "\n".join(last_log_lines(folder))
    again = "Tenfold tried it twice. " if attempts >= _MAX_ATTEMPTS else ""
    remedy = (
        f"{again}Resume it, or run it again; the end of its log is below."
        if last_words
        else (f"{again}Resume it, or run it again.")
    )
    error = Error(now(), kind, f"The worker ended without a last word. {said}", remedy, last_words)
    return Ending("interrupted", said, error)


def start_failure(folder: Path, problem: OSError | WorkbenchError) -> Ending:
    """The ending of a job whose worker the system would not start, or that has no place to run any more."""
    if isinstance(problem, WorkbenchError):
        error = Error(now(), problem.kind, problem.message, problem.remedy, problem.details)
        return Ending("failed", problem.message, error)
    message = f"The worker could not be started in {folder.name}: {problem.strerror or problem}."
    error = Error(now(), "start", message, "Check the disk and the memory, then run it again.", repr(problem))
    return Ending("failed", message, error)
