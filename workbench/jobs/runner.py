"""Runs the queue: starts workers where slots are free, follows them, and says what became of each."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from filelock import FileLock, Timeout
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from workbench.cluster.submission import is_away
from workbench.errors import HomeInUseError, StoreError, WorkbenchError
from workbench.hardware import machine
from workbench.home import Home
from workbench.jobs import exits, launch, processes, publish
from workbench.jobs.endings import Ending, death, start_failure
from workbench.jobs.events import Artifact, Error, Event, EventLog, JobState, Progress, State, now
from workbench.jobs.records import JobRecord, record_of, record_of_columns, select_records
from workbench.jobs.recover import last_event, recover_rows
from workbench.jobs.results import keep_proof, queue_what_follows, register
from workbench.jobs.slots import Held, Start, Waiting, may_start
from workbench.jobs.spec import JobSpec
from workbench.jobs.stop_requests import request_path
from workbench.jobs.watch import Watch
from workbench.library.library import Library
from workbench.settings import Settings
from workbench.store.database import Store
from workbench.store.guarded import guarded
from workbench.store.tables import JobRow

#: Between two looks at the queue, in seconds.
_QUEUE_INTERVAL_S = 0.25
#: Between two writes of a running job's progress to the database, in seconds.
_SAVE_INTERVAL_S = 1.0
#: Waiting and paused jobs that are compared with what was last told; more than anyone has in view.
_COMPARED = 256


@dataclass(frozen=True, slots=True)
class JobUpdate:
    """A job as it is now, and the events that are new since the last update."""

    job: JobRecord
    events: tuple[Event, ...] = ()


class Runner:
    """Supervises the jobs of one home; a second one on the same home is refused.

    Plain and single-threaded: call `poll` from a timer or a loop. Workers go on without it; the next
    runner finds them by what their folders and rows say.

    Args:
        only: Start these jobs and leave the rest of the queue alone; None for all.

    Raises:
        HomeInUseError: Another process supervises this home.
    """

    def __init__(
        self,
        store: Store,
        home: Home,
        library: Library,
        settings: Settings,
        only: Collection[str] | None = None,
    ) -> None:
        self._store = store
        self._home = home
        self._library = library
        self._settings = settings
        self.only = only
        self._lock = FileLock(home.runner_lock)
        try:
            self._lock.acquire(blocking=False)
        except Timeout:
            raise HomeInUseError(
                f"Another Tenfold works on {home.root}.",
                remedy="Use its window, or name another home with --home.",
            ) from None
        self._watches: dict[str, Watch] = {}
        self._records: dict[str, JobRecord] = {}
        self._saved_at: dict[str, float] = {}
        self._told: dict[str, JobRecord] = {}
        self._next_look = 0.0
        try:
            recover_rows(store, home, library)
            self._adopt()
        except BaseException:
            self._lock.release()
            raise

    def poll(self) -> list[JobUpdate]:
        """What is new since the last call; starts what may start. Takes a few milliseconds."""
        updates = [update for watch in list(self._watches.values()) if (update := self._follow(watch))]
        moment = time.monotonic()
        if moment >= self._next_look:
            self._next_look = moment + _QUEUE_INTERVAL_S
            updates += self._look_at_queue()
        return updates

    @property
    def running(self) -> tuple[str, ...]:
        """The ids of the jobs that have a worker now."""
        return tuple(self._watches)

    def close(self) -> None:
        """Leave the workers to themselves and let another runner have the home."""
        try:
            for job_id in self._watches:
                self._save_progress(job_id)
        finally:
            self._watches.clear()
            self._lock.release()

    # ------------------------------------------------------------------ following

    def _follow(self, watch: Watch) -> JobUpdate | None:
        events = watch.read()
        before = self._records[watch.job_id]
        record = _with_progress(before, events)
        self._records[watch.job_id] = record
        last = next((each for each in reversed(events) if isinstance(each, State)), None)
        if last is not None and last.state == "running" and last.reason != before.reason:
            record = self._stands(watch.job_id, last.reason)
        if last is not None and last.state not in ("queued", "running") and record.state == "running":
            record = self._settle(watch, self._last_word(watch, last, events))
        if watch.ended:
            del self._watches[watch.job_id]
            if self._records[watch.job_id].state == "running":
                record = self._bury(watch)
            self._told[watch.job_id] = self._records.pop(watch.job_id)
        elif record != before and time.monotonic() - self._saved_at.get(watch.job_id, 0) > _SAVE_INTERVAL_S:
            self._save_progress(watch.job_id)
        return JobUpdate(record, tuple(events)) if events or record != before else None

    def _last_word(self, watch: Watch, state: State, events: Sequence[Event]) -> Ending:
        """The ending that a worker gave itself; what it rests on may have been read in an earlier poll."""
        error = next((each for each in reversed(events) if isinstance(each, Error)), None)
        if state.state in ("failed", "interrupted") and error is None:
            error = last_event(watch.folder, Error)
        artifact = next((each for each in reversed(events) if isinstance(each, Artifact)), None)
        if state.state == "done" and artifact is None:
            artifact = last_event(watch.folder, Artifact)
        spoken = error if state.state in ("failed", "interrupted") else None
        return Ending(state.state, state.reason, spoken, artifact)

    def _bury(self, watch: Watch) -> JobRecord:
        """A worker that died without a last word: nothing of its result stays, its log speaks for it."""
        record = self._records[watch.job_id]
        publish.discard_all(watch.folder / "out")
        cancelled = watch.was_forced or watch.asked_to_cancel()
        ending = death(
            watch.folder,
            watch.exit_code,
            attempts=record.attempts,
            cancelled=cancelled,
            away=is_away(watch.folder),
        )
        self._write_events(watch, ending)
        return self._settle(watch, ending)

    def _settle(self, watch: Watch, ending: Ending) -> JobRecord:
        """Write an ending into the database, with the model that was made, in one transaction."""
        try:
            with guarded(self._store, lock=True) as session:
                row = session.get(JobRow, watch.job_id)
                if row is None:
                    return self._records[watch.job_id]
                self._enter(session, row, ending, watch)
                record = record_of(row, self._home)
        except WorkbenchError as error:
            if isinstance(error, StoreError) or ending.state != "done":
                raise
            problem = Error(now(), error.kind, error.message, error.remedy, error.details)
            failed = Ending("failed", error.message, problem)
            self._write_events(watch, failed)
            return self._settle(watch, failed)
        self._records[watch.job_id] = record
        return record

    def _enter(self, session: Session, row: JobRow, ending: Ending, watch: Watch) -> None:
        progress = self._records[watch.job_id]
        row.progress_done, row.progress_total = progress.progress_done, progress.progress_total
        row.progress_unit, row.progress_label = progress.progress_unit, progress.progress_label
        row.state, row.reason, row.events_offset = ending.state, ending.reason, watch.offset
        row.pid = row.pid_created_at = None
        if ending.state == "queued":
            row.queued_at = now()
        elif ending.state != "paused":
            row.ended_at = now()
        if ending.error is not None:
            row.error_kind, row.error_message = ending.error.error, ending.error.message
            row.error_remedy, row.error_details = ending.error.remedy, ending.error.details
        if ending.state == "done" and ending.artifact is not None:
            self._take_in(session, row, ending.artifact, watch.folder)

    def _take_in(self, session: Session, row: JobRow, artifact: Artifact, folder: Path) -> None:
        """What was made enters the home in the transaction that makes its job done."""
        if artifact.role == "file":
            keep_proof(self._home, folder, artifact)
            return
        made = register(session, self._library, row, folder, artifact)
        row.result_model_id = made.id
        try:
            queue_what_follows(session, self._home, row, made)
        except OSError as error:
            # The result is whole and stays; only what was to follow on it has no room.
            row.reason = f"What was to follow could not be queued: {error.strerror or error}."

    def _write_events(self, watch: Watch, ending: Ending) -> None:
        """Say in the job's own events what its worker could not say any more."""
        try:
            log = EventLog(watch.folder / "events.jsonl")
        except OSError:
            return
        try:
            if ending.error is not None:
                log.append(ending.error)
            log.append(State(now(), ending.state, ending.reason))
        except OSError:
            # The disk is full: the row says it all the same.
            return
        finally:
            log.close()

    def _stands(self, job_id: str, reason: str) -> JobRecord:
        """A job that is at work says where it stands; what a person asked of it goes before that."""
        record = self._records[job_id]
        with guarded(self._store, lock=True) as session:
            row = session.get(JobRow, job_id)
            if row is not None and row.state == "running" and not request_path(record.folder).exists():
                row.reason = reason
                record = self._records[job_id] = replace(record, reason=reason)
        return record

    def _save_progress(self, job_id: str) -> None:
        self._saved_at[job_id] = time.monotonic()
        record, watch = self._records[job_id], self._watches[job_id]
        with guarded(self._store, lock=True) as session:
            row = session.get(JobRow, job_id)
            if row is None or row.state != "running":
                return
            row.progress_done, row.progress_total = record.progress_done, record.progress_total
            row.progress_unit, row.progress_label = record.progress_unit, record.progress_label
            row.events_offset = watch.offset
            self._records[job_id] = replace(record, reason=row.reason)

    # ------------------------------------------------------------------ the queue

    def _look_at_queue(self) -> list[JobUpdate]:
        with guarded(self._store) as session:
            query = select_records().where(JobRow.state.in_(("queued", "paused")))
            rows = session.execute(query.order_by(JobRow.position).limit(_COMPARED)).all()
            listed = [record_of_columns(row, self._home) for row in rows]
        updates = self._changed_by_others(listed)
        for start in self._due([each for each in listed if each.state == "queued"]):
            updates.append(self._start(start))
        return updates

    def _changed_by_others(self, listed: Sequence[JobRecord]) -> list[JobUpdate]:
        """Jobs that another process submitted or changed, or that the board did on a person's behalf."""
        present = {each.id: each for each in listed}
        changed = [each for each in listed if self._told.get(each.id) != each]
        gone = [
            job_id
            for job_id, told in self._told.items()
            if job_id not in present and job_id not in self._watches and told.state in ("queued", "paused")
        ]
        if gone:
            with guarded(self._store) as session:
                rows = session.execute(select_records().where(JobRow.id.in_(gone[:_COMPARED]))).all()
                changed += [record_of_columns(row, self._home) for row in rows]
        self._told = present
        return [JobUpdate(each) for each in changed]

    def _due(self, queued: Sequence[JobRecord]) -> list[Start]:
        waiting = [
            Waiting(each.id, each.needs, each.queued_at)
            for each in queued
            if each.id not in self._watches and (self.only is None or each.id in self.only)
        ]
        if not waiting:
            return []
        preferences = self._settings.load()
        held = [Held(self._records[watch.job_id].needs, watch.gpu) for watch in self._watches.values()]
        return may_start(
            waiting,
            held,
            cpu_slots=preferences.cpu_slots,
            network_slots=preferences.network_slots,
            gpus=[gpu.index for gpu in machine().gpus],
            failed_at=None if preferences.go_on_after_error else self._last_failure(),
        )

    def _last_failure(self) -> float | None:
        with guarded(self._store) as session:
            failed = JobRow.state.in_(("failed", "interrupted"))
            return session.scalar(select(func.max(JobRow.ended_at)).where(failed))

    def _start(self, start: Start) -> JobUpdate:
        """Start one worker. The row says `running` before there is a process, so that none is ever lost."""
        folder = self._home.jobs / start.id
        with guarded(self._store, lock=True) as session:
            row = session.get(JobRow, start.id)
            if row is None or row.state != "queued":
                return JobUpdate(self._told[start.id])
            spec = JobSpec.model_validate_json(row.spec)
            resume = spec.resumable and any((folder / "checkpoints").glob("*"))
            row.state, row.reason, row.pid = "running", "", None
            row.started_at, row.ended_at = now(), None
            row.attempts += 1
            row.progress_done = row.progress_total = 0.0
            row.progress_label = row.progress_unit = ""
            record = record_of(row, self._home)
            offset = row.events_offset
        self._records[start.id] = record
        try:
            request_path(folder).unlink(missing_ok=True)
            child = self._spawn(spec, record, resume=resume, gpu=start.gpu)
        except (OSError, WorkbenchError) as error:
            return self._refused(record, offset, error)
        watch = Watch(
            start.id,
            folder,
            offset=offset,
            pid=child.pid,
            created_at=processes.started_at(child.pid),
            child=child,
            gpu=start.gpu,
        )
        self._watches[start.id] = watch
        with guarded(self._store, lock=True) as session:
            row = session.get(JobRow, start.id)
            if row is not None:
                row.pid, row.pid_created_at = child.pid, watch.created_at
                record = record_of(row, self._home)
        self._records[start.id] = record
        return JobUpdate(record)

    def _spawn(
        self, spec: JobSpec, record: JobRecord, *, resume: bool, gpu: int | None
    ) -> subprocess.Popen[bytes]:
        preferences = self._settings.load()
        metal = any(each.kind == "metal" for each in machine().gpus)
        return processes.start(
            launch.command(spec, record.folder, resume=resume, threads=preferences.threads),
            record.folder,
            launch.environment(spec, self._home, preferences, None if metal else gpu),
        )

    def _refused(self, record: JobRecord, offset: int, error: OSError | WorkbenchError) -> JobUpdate:
        """The system would not start a process, or the job's folder or its place is gone."""
        watch = Watch(record.id, record.folder, offset=offset, pid=0, created_at=None)
        ending = start_failure(record.folder, error)
        self._write_events(watch, ending)
        settled = self._settle(watch, ending)
        self._records.pop(record.id, None)
        return JobUpdate(settled)

    # ------------------------------------------------------------------ after a restart

    def _adopt(self) -> None:
        """Take up the jobs that an earlier run left at work; those whose worker is gone end in `poll`."""
        with guarded(self._store) as session:
            rows = list(session.scalars(select(JobRow).where(JobRow.state == "running")))
        for row in rows:
            folder = self._home.jobs / row.id
            pid, created_at = row.pid, row.pid_created_at
            if pid is None or created_at is None:
                pid = processes.find_worker(folder) or 0
                created_at = processes.started_at(pid) if pid else 0.0
            self._watches[row.id] = Watch(
                row.id, folder, offset=row.events_offset, pid=pid, created_at=created_at
            )
            self._records[row.id] = record_of(row, self._home)


def _with_progress(record: JobRecord, events: Sequence[Event]) -> JobRecord:
    progress = next((each for each in reversed(events) if isinstance(each, Progress)), None)
    if progress is None:
        return record
    return replace(
        record,
        progress_done=progress.done,
        progress_total=progress.total,
        progress_unit=progress.unit,
        progress_label=progress.label,
    )


def is_resting(state: JobState) -> bool:
    """Whether a job in this state has no worker and does not wait for one."""
    return state not in ("queued", "running")


def exit_code_of(state: JobState) -> int:
    """What a program that waited for a job ends with."""
    return {"done": exits.DONE, "cancelled": exits.CANCELLED}.get(state, exits.FAILED)
