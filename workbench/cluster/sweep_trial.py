"""One trial of a sweep: a job of the home, followed to its end, with its figures told to Ray Tune."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from workbench.cluster.sweep_file import Mode, Sweep
from workbench.errors import NotFoundError, WorkbenchError
from workbench.home import Home
from workbench.jobs.events import RESTING, EventTail, Metric, now
from workbench.jobs.records import JobRecord
from workbench.jobs.spec import JobSpec
from workbench.measure.card import Card
from workbench.session import Session

_TICK_S = 0.1

#: Of the proof that a trial ends with.
PROOF_FIGURES = ("mean_kld", "ppl_ratio", "same_top", "tokens_per_s")
#: Of the finished job and its proof; any other name is a series that the job reports.
FIGURES = ("seconds", "size_bytes", *PROOF_FIGURES)

#: Tells a value, and how far the trial is; where the trial is to end, it does not return.
Tell = Callable[[float, int], None]


class TrialTold(Struct, frozen=True, kw_only=True):
    """What a trial is told.

    Attributes:
        home, sweep: Folders.
        tell_series: Whether values are told before the job's end, for those that lag behind to be ended.
    """

    home: str
    sweep: str
    number: int
    tell_series: bool


def run_trial(told: TrialTold, tell: Tell) -> None:
    """Submit the trial's job, or find the one that an earlier run of the sweep submitted; wait for its end.

    The job is run by whoever runs the jobs of the home. Its value is the best of the metric's series.

    Raises:
        WorkbenchError: The job failed, or has no such figure.
    """
    sweep = Sweep(Path(told.sweep))
    sweep.read()
    if sweep.plan is None:
        raise WorkbenchError("The sweep has no plan.")
    with Session.open(Home(Path(told.home)), supervise=False) as session:
        _Following(session, sweep, told, tell).run(JobSpec.model_validate(sweep.plan.specs[told.number]))


class _Following:
    """One trial on its way."""

    def __init__(self, session: Session, sweep: Sweep, told: TrialTold, tell: Tell) -> None:
        assert sweep.plan is not None  # noqa: S101 - for the type checker; `run_trial` looks
        self._session = session
        self._sweep = sweep
        self._told = told
        self._tell = tell
        self._plan = sweep.plan
        self._at = sweep.trials[told.number]
        self._reports = 0
        self._is_resumed = bool(self._at.job)

    def run(self, spec: JobSpec) -> None:
        if self._at.state == "stopped" and self._at.value is not None:
            # It lagged behind before; what it had then is what counts.
            self._tell(self._at.value, max(1, self._at.step or 0))
            return
        job = self._begun(spec)
        self._write(state="running", job=job.id, reason="")
        try:
            done = self._followed(job)
            last = self._last_in_chain(done, spec)
            figures = self._figures(done, last)
            value = self._at.value if self._plan.metric not in FIGURES else figures.get(self._plan.metric)
            if value is None:
                raise WorkbenchError(
                    f"The job reports no {self._plan.metric}.",
                    remedy=f"Choose a series that it reports, or one of {', '.join(FIGURES)}.",
                )
        except WorkbenchError as error:
            self._write(state="failed", reason=str(error))
            raise
        self._write(state="done", value=value, figures=figures)
        self._tell(value, self._reports + 1)

    def _begun(self, spec: JobSpec) -> JobRecord:
        board = self._session.board
        if self._at.job:
            try:
                return self._taken_up(board.get(self._at.job))
            except NotFoundError:
                return board.submit(spec)
        return board.submit(spec)

    def _taken_up(self, known: JobRecord) -> JobRecord:
        """A job of an earlier run of the sweep, set to work again where it did not come to its end."""
        if known.state in ("interrupted", "paused", "failed"):
            return self._session.board.resume(known.id)
        return self._session.board.retry(known.id) if known.state == "cancelled" else known

    def _followed(self, job: JobRecord) -> JobRecord:
        """The job at its end; its metric is told as it comes."""
        tail = EventTail(job.folder / "events.jsonl")
        while True:
            found = self._session.board.get(job.id)
            for event in tail.read():
                if isinstance(event, Metric) and event.name == self._plan.metric:
                    self._heard(event)
            if found.state in RESTING:
                if found.state != "done":
                    reason = found.error_message or found.reason or f"it is {found.state}"
                    raise WorkbenchError(f"{found.title}: {reason}")
                return found
            time.sleep(_TICK_S)

    def _heard(self, event: Metric) -> None:
        value = better(self._at.value, event.value, self._plan.mode)
        self._reports += 1
        self._write(value=value, step=event.step)
        if self._told.tell_series:
            self._tell(value, self._reports)

    def _last_in_chain(self, job: JobRecord, spec: JobSpec) -> JobRecord:
        """The last job of a recipe, at its end; each works on what the one before made."""
        for following in spec.then:
            after = self._following(job, following.operation)
            if self._is_resumed:
                after = self._taken_up(after)
            done = self._followed(after)
            job = self._last_in_chain(done, following) if following.then else done
        return job

    def _following(self, job: JobRecord, operation: str) -> JobRecord:
        """The job on what another made; it is queued in the moment that this one is done."""
        if job.result_model_id is None:
            raise WorkbenchError(f"{job.title} made no model, so {operation} has nothing to work on.")
        while True:
            for each in following_jobs(self._session, job):
                if each.operation == operation:
                    return each
            time.sleep(_TICK_S)

    def _figures(self, first: JobRecord, last: JobRecord) -> dict[str, float]:
        found: dict[str, float] = {}
        if first.started_at is not None and last.ended_at is not None:
            found["seconds"] = round(last.ended_at - first.started_at, 3)
        # A proof makes no model: it is about the one that it was given.
        made = last.result_model_id or last.model_id
        if made is None:
            return found
        record = self._session.library.get(made)
        found["size_bytes"] = float(record.size_bytes)
        proofs = self._session.proofs.of(record.sha256)
        return {**found, **(card_figures(proofs[0].card) if proofs and last.operation == "prove" else {})}

    def _write(self, **changed: object) -> None:
        self._at = replace(self._at, t=now(), **changed)
        self._sweep.write(self._at)


def following_jobs(session: Session, job: JobRecord) -> list[JobRecord]:
    """The jobs on what another made, the newest first."""
    if job.result_model_id is None:
        return []
    return [each for each in session.board.list(limit=1000) if each.model_id == job.result_model_id]


def jobs_at_work(session: Session, job_id: str) -> list[JobRecord]:
    """The jobs of a trial that have not come to rest: its own, or those that follow on what it made.

    Raises:
        NotFoundError: Its job was removed.
    """
    job = session.board.get(job_id)
    if job.state not in RESTING:
        return [job]
    return [at_work for each in following_jobs(session, job) for at_work in jobs_at_work(session, each.id)]


def better(one: float | None, other: float, mode: Mode) -> float:
    """The better of two values; the other where there is no first.

    >>> better(None, 2.0, "min"), better(1.0, 2.0, "max")
    (2.0, 2.0)
    """
    if one is None:
        return other
    return min(one, other) if mode == "min" else max(one, other)


def card_figures(card: Card) -> dict[str, float]:
    """What a sweep compares of a proof."""
    found: dict[str, float] = {}
    if card.quality is not None:
        for name in ("mean_kld", "ppl_ratio", "same_top"):
            found[name] = float(getattr(card.quality, name))
    if card.speed is not None and card.speed.alone is not None:
        found["tokens_per_s"] = card.speed.alone.tokens_per_s
    return found
