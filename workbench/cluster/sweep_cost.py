"""What finished jobs tell of the trials of a sweep: how long one took, and which series it reports."""

from __future__ import annotations

from statistics import median

from workbench.jobs.board import JobBoard
from workbench.jobs.records import JobRecord
from workbench.jobs.sampler import is_of_processes
from workbench.jobs.series import SeriesStore

#: Of a home's newest jobs, so many are looked through.
_NEWEST = 500
#: So many runs of an operation are enough for a median.
_RUNS = 5


def typical_seconds(board: JobBoard, operation: str, model_id: str | None = None) -> float | None:
    """How long a job of this kind took, the median of the last few; None where none is known.

    Only a hint: the trials have other settings than those jobs had.

    Args:
        model_id: What it worked on; None for whatever it was.
    """
    took = [
        each.ended_at - each.started_at
        for each in _finished(board, operation)
        if model_id in (None, each.model_id) and each.started_at is not None and each.ended_at is not None
    ]
    return median(took[:_RUNS]) if took else None


def reported_series(board: JobBoard, operation: str) -> tuple[str, ...]:
    """The names of the series that the newest finished job of an operation reported.

    Without those that every job has: of its processes, and its throughput.
    """
    for each in _finished(board, operation)[:1]:
        series = SeriesStore(each.folder)
        while series.append_new():
            pass
        names = [known.name for known in series.names()]
        return tuple(name for name in names if not is_of_processes(name) and _own(name))
    return ()


def _own(series: str) -> bool:
    return series.partition("/")[0] != "throughput"


def _finished(board: JobBoard, operation: str) -> list[JobRecord]:
    """Newest first."""
    done = board.list(states=("done",), limit=_NEWEST)
    return [each for each in done if each.operation == operation]
