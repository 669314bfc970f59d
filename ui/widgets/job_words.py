"""What the window says of a job: its state, how far it is, how long it still takes."""

from __future__ import annotations

import time
from collections import deque

from ui import format
from workbench.jobs.events import JobState
from workbench.jobs.records import JobRecord

_WORDS: dict[JobState, str] = {
    "queued": "waiting",
    "running": "running",
    "paused": "paused",
    "done": "done",
    "failed": "failed",
    "cancelled": "cancelled",
    "interrupted": "interrupted",
}

#: The badge tone of each state; the word always stands beside the colour.
TONES: dict[JobState, str] = {
    "queued": "neutral",
    "running": "accent",
    "paused": "warn",
    "done": "good",
    "failed": "bad",
    "cancelled": "neutral",
    "interrupted": "warn",
}

_SLOTS = {"cpu": "CPU", "gpu": "GPU", "network": "the network", "place": "its place"}


def state_word(state: JobState) -> str:
    return _WORDS[state]


def state_line(job: JobRecord) -> str:
    """The line under a job's title: what it waits for, how far it is, how it ended."""
    match job.state:
        case "queued":
            return f"waiting for {_SLOTS.get(job.needs, job.needs)}"
        case "running":
            return " · ".join(filter(None, (where_it_stands(job), progress_text(job)))) or "starting"
        case "done":
            took = duration_of(job)
            return f"done · {format.duration(took)}" if took is not None else "done"
        case "paused":
            return f"paused{_at(job)} — resume"
        case "interrupted":
            return f"interrupted{_at(job)} — resume"
        case "failed":
            return f"failed — {job.error_message or job.reason or 'no reason was given'}"
        case "cancelled":
            return "cancelled"


def where_it_stands(job: JobRecord) -> str:
    """Of a job elsewhere: queued there, running there, the line cut; empty of one that runs here."""
    said = job.reason.rstrip(".")
    return said[:1].lower() + said[1:] if job.needs == "place" else ""


def progress_text(job: JobRecord) -> str:
    """`193 of 272 tensors`; bytes as `1.2 of 4.9 GB`; empty before the first report.

    Work that is counted in percent alone says what it is at: the percent stand beside it anyway.
    """
    if job.progress_total <= 0:
        return ""
    if job.progress_unit == "%":
        return job.progress_label
    if job.progress_unit in ("B", "bytes"):
        return f"{format.bytes(int(job.progress_done))} of {format.bytes(int(job.progress_total))}"
    unit = f" {job.progress_unit}" if job.progress_unit else ""
    return f"{job.progress_done:,.0f} of {job.progress_total:,.0f}{unit}".replace(",", "\u2009")


def share_done(job: JobRecord) -> float | None:
    """Progress from 0 to 1; None before the first report."""
    if job.state == "done":
        return 1.0
    if job.progress_total <= 0:
        return None
    return min(max(job.progress_done / job.progress_total, 0.0), 1.0)


def duration_of(job: JobRecord, now: float | None = None) -> float | None:
    """Seconds from its start to its end, or until now while it runs; None before it started."""
    if job.started_at is None:
        return None
    if job.ended_at is not None and job.state != "running":
        return max(job.ended_at - job.started_at, 0.0)
    return max((time.time() if now is None else now) - job.started_at, 0.0)


def _at(job: JobRecord) -> str:
    share = share_done(job)
    return f" at {share:.0%}".replace("%", "\u202f%") if share else ""


class TimeLeft:
    """Estimates the time left from real progress.

    The speed is that of the last minute (or of all there is), so that a slow start is forgotten and one
    slow tensor does not throw the estimate. Nothing is said before two seconds and two reports.
    """

    WINDOW_S = 60.0
    LEAST_S = 1.0

    def __init__(self) -> None:
        self._seen: deque[tuple[float, float]] = deque()
        self._total = 0.0

    def report(self, t: float, done: float, total: float) -> None:
        """Take in one progress report."""
        if total != self._total or (self._seen and done < self._seen[-1][1]):
            self._seen.clear()
            self._total = total
        if self._seen and t <= self._seen[-1][0]:
            return
        self._seen.append((t, done))
        while len(self._seen) > 2 and t - self._seen[1][0] > self.WINDOW_S:
            self._seen.popleft()

    def seconds(self, now: float) -> float | None:
        """Seconds left, seen from `now`; None while nothing can be said."""
        if len(self._seen) < 2:
            return None
        (first_t, first_done), (last_t, last_done) = self._seen[0], self._seen[-1]
        if last_t - first_t < self.LEAST_S or last_done <= first_done:
            return None
        speed = (last_done - first_done) / (last_t - first_t)
        return max((self._total - last_done) / speed - max(now - last_t, 0.0), 0.0)


def time_left_text(seconds: float | None) -> str:
    """Time left, rounded to what an estimate is worth: `under 10 s`, `15 s`, `6 min`, `2 h 10 min`."""
    if seconds is None:
        return "—"
    if seconds < 10:
        return "under 10\u202fs"
    if seconds < 60:
        return f"{round(seconds / 5) * 5:.0f}\u202fs"
    return format.duration(round(seconds / 60) * 60 if seconds < 7200 else round(seconds / 600) * 600)
