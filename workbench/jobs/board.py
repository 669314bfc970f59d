"""The board of jobs: what any process may ask of them, whether or not it is the one that runs them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from workbench.errors import DiskFullError, InUseError, NotFoundError, UsageError
from workbench.home import Home
from workbench.jobs import folder as job_folder
from workbench.jobs.events import JobState, State, now
from workbench.jobs.expected import exported_script
from workbench.jobs.records import JobRecord, record_of, record_of_columns, select_records
from workbench.jobs.spec import JobSpec
from workbench.jobs.stop_requests import request_path
from workbench.store.database import Store
from workbench.store.guarded import guarded
from workbench.store.tables import JobRow

_ACTIVE: tuple[JobState, ...] = ("queued", "running")
_AGAIN: tuple[JobState, ...] = ("failed", "interrupted", "cancelled", "done")
#: How many candidates an error lists.
_LISTED = 5


class JobBoard:
    """Submits jobs, lists them, and carries what people ask of them to whoever runs them.

    Every method raises `StoreError` or `DiskFullError` where the database fails.
    """

    def __init__(self, store: Store, home: Home) -> None:
        self._store = store
        self._home = home

    # ------------------------------------------------------------------ reading

    def last_log_lines(self, id: str, n: int = 200) -> list[str]:
        """The end of what a job's worker printed."""
        return job_folder.last_log_lines(self._home.jobs / id, n)

    def list(self, states: Sequence[JobState] | None = None, limit: int | None = None) -> list[JobRecord]:
        """Jobs, newest first; only those in some states, or only so many, where asked."""
        query = select_records().order_by(JobRow.created_at.desc())
        if states is not None:
            query = query.where(JobRow.state.in_(states))
        if limit is not None:
            query = query.limit(limit)
        with guarded(self._store) as session:
            # Below the object mapper, which takes longer over ten thousand rows than the database does.
            return [record_of_columns(row, self._home) for row in session.connection().execute(query)]

    def get(self, key: str) -> JobRecord:
        """The job with this id, or the only one whose id begins or ends so; `last` is the newest.

        Raises:
            NotFoundError: There is none, or several; then they are listed.
        """
        key = key.strip()
        with guarded(self._store) as session:
            row = session.get(JobRow, key)
            if row is not None:
                return record_of(row, self._home)
            query = select_records().order_by(JobRow.created_at.desc()).limit(_LISTED + 1)
            if key != "last":
                query = query.where(
                    JobRow.id.startswith(key, autoescape=True) | JobRow.id.endswith(key, autoescape=True)
                )
            found = session.execute(query).all() if key else []
            if len(found) == 1 or (found and key == "last"):
                return record_of_columns(found[0], self._home)
            listed = ", ".join(str(each[0]) for each in found[:_LISTED])
        if listed:
            raise NotFoundError(f"Several jobs match {key!r}: {listed}.", remedy="Name one in full.")
        raise NotFoundError(f"There is no job {key!r}.", remedy="`tenfold jobs list` shows all.")

    def spec(self, id: str) -> JobSpec:
        """What a job is to do."""
        with guarded(self._store) as session:
            return JobSpec.model_validate_json(self._row(session, id).spec)

    # ------------------------------------------------------------------ asking

    def submit(self, spec: JobSpec) -> JobRecord:
        """Put a job at the end of the queue: first its folder, then its row.

        Raises:
            DiskFullError: There is no room for the folder.
        """
        job_id = job_folder.new_id()
        try:
            folder = job_folder.create(self._home.jobs, job_id, spec)
        except OSError as error:
            raise DiskFullError(self._home.jobs) from error
        try:
            with guarded(self._store, lock=True) as session:
                row = new_row(job_id, spec, position=last_position(session))
                session.add(row)
                session.flush()
                return record_of(row, self._home)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def cancel(self, id: str) -> JobRecord:
        """End a job: at once where it waits, else as soon as its worker has let go of everything.

        Raises:
            UsageError: It has ended already.
        """
        with guarded(self._store, lock=True) as session:
            row = self._row(session, id)
            if row.state == "running":
                self._request(row, "cancel")
            elif row.state in ("queued", "paused", "interrupted"):
                self._enter(row, "cancelled")
                _forget_checkpoints(self._home.jobs / row.id)
            else:
                raise UsageError(f"“{row.title}” has ended already: it is {row.state}.")
            return record_of(row, self._home)

    def pause(self, id: str) -> JobRecord:
        """Have a job keep what it has and give its memory back; `resume` goes on from there.

        Raises:
            UsageError: It can't be paused, or is not at work.
        """
        with guarded(self._store, lock=True) as session:
            row = self._row(session, id)
            if row.state == "queued":
                self._enter(row, "paused")
            elif row.state == "running":
                if not JobSpec.model_validate_json(row.spec).resumable:
                    raise UsageError(
                        f"“{row.title}” can't be paused: {row.operation} keeps no checkpoints.",
                        remedy="Cancel it, and run it again later.",
                    )
                self._request(row, "pause")
            else:
                raise UsageError(f"“{row.title}” is not at work: it is {row.state}.")
            return record_of(row, self._home)

    def resume(self, id: str) -> JobRecord:
        """Put a job that was paused, interrupted or failed back into the queue, to go on where it was.

        On a job that waits because an earlier one failed, it says to go on all the same.

        Raises:
            UsageError: It is not one of those.
        """
        with guarded(self._store, lock=True) as session:
            row = self._row(session, id)
            if row.state not in ("paused", "interrupted", "failed", "queued"):
                raise UsageError(f"“{row.title}” can't go on: it is {row.state}.", remedy="Retry it instead.")
            if row.state == "queued":
                row.queued_at, row.reason = now(), ""
            else:
                self._enter(row, "queued")
            return record_of(row, self._home)

    def retry(self, id: str) -> JobRecord:
        """Run a job that has ended once more, from its beginning.

        Raises:
            UsageError: It has not ended.
            InUseError: It made a model that is still in the library.
        """
        with guarded(self._store, lock=True) as session:
            row = self._row(session, id)
            if row.state not in _AGAIN:
                raise UsageError(f"“{row.title}” has not ended yet: it is {row.state}.")
            if row.result_model_id is not None:
                raise InUseError(
                    f"“{row.title}” made a model that is in the library.",
                    remedy="Start a new job with the same parameters, or remove the model first.",
                )
            _forget_checkpoints(self._home.jobs / row.id)
            row.attempts = 0
            self._enter(row, "queued")
            row.position = last_position(session)
            return record_of(row, self._home)

    def move(self, id: str, before: str | None) -> JobRecord:
        """Put a waiting job before another waiting one, or last.

        Raises:
            UsageError: One of them does not wait.
        """
        with guarded(self._store, lock=True) as session:
            row = self._row(session, id)
            waiting = list(
                session.scalars(select(JobRow).where(JobRow.state == "queued").order_by(JobRow.position))
            )
            if row not in waiting:
                raise UsageError(f"“{row.title}” does not wait: it is {row.state}.")
            waiting.remove(row)
            place = len(waiting)
            if before is not None:
                target = self._row(session, before)
                if target is not row and target not in waiting:
                    raise UsageError(f"“{target.title}” does not wait: it is {target.state}.")
                place = waiting.index(target) if target in waiting else place
            waiting.insert(place, row)
            for number, each in enumerate(waiting):
                each.position = float(number)
            return record_of(row, self._home)

    def remove(self, id: str) -> None:
        """Forget a job and delete its folder; a model that it made and that the library holds stays.

        Raises:
            InUseError: It is at work or waits.
        """
        with guarded(self._store, lock=True) as session:
            row = self._row(session, id)
            if row.state in _ACTIVE:
                raise InUseError(f"“{row.title}” is {row.state}.", remedy="Cancel it first.")
            kept = row.result_model_id is not None
            session.delete(row)
        folder = self._home.jobs / id
        if not kept:
            shutil.rmtree(folder, ignore_errors=True)
            return
        # The result lies in `out`: all the rest goes, and the folder is known as no job any more.
        for each in folder.iterdir():
            if each.name != "out":
                shutil.rmtree(each, ignore_errors=True) if each.is_dir() else each.unlink(missing_ok=True)

    def export(self, id: str, out: Path) -> Path:
        """Copy the script that a job runs; of one that is done it carries the first figures, for --verify.

        Raises:
            UsageError: It can't be written there.
        """
        folder = self._home.jobs / self.get(id).id
        target = out.expanduser()
        try:
            target.write_text(exported_script(folder), encoding="utf-8")
        except OSError as error:
            raise UsageError(
                f"The script can't be written to {target}: {os.strerror(error.errno or 0)}.",
                remedy="Choose another place.",
            ) from error
        return target

    # ------------------------------------------------------------------ inside

    def _row(self, session: Session, id: str) -> JobRow:
        row = session.get(JobRow, id)
        if row is None:
            raise NotFoundError(f"There is no job {id!r}.", remedy="It may have been removed.")
        return row

    def _request(self, row: JobRow, request: str) -> None:
        request_path(self._home.jobs / row.id).write_text(request, encoding="utf-8")
        row.reason = "Asked to cancel." if request == "cancel" else "Asked to pause."

    def _enter(self, row: JobRow, state: JobState) -> None:
        """Change the state of a job that has no worker: in its events, then in its row."""
        folder = self._home.jobs / row.id
        request_path(folder).unlink(missing_ok=True)
        if folder.is_dir():
            job_folder.append_state(folder, State(now(), state))
        row.state, row.reason = state, ""
        if state == "queued":
            row.queued_at, row.ended_at = now(), None
            row.error_kind = row.error_message = row.error_remedy = row.error_details = ""
        elif state == "cancelled":
            row.ended_at = now()


def new_row(job_id: str, spec: JobSpec, *, position: float) -> JobRow:
    """The row of a job that has just been queued."""
    moment = now()
    return JobRow(
        id=job_id,
        operation=spec.operation,
        title=spec.title,
        spec=spec.model_dump_json(),
        state="queued",
        reason="",
        needs=spec.slot,
        position=position,
        model_id=spec.model.id or None if spec.model else None,
        result_model_id=None,
        created_at=moment,
        queued_at=moment,
        started_at=None,
        ended_at=None,
        pid=None,
        pid_created_at=None,
        attempts=0,
        progress_done=0.0,
        progress_total=0.0,
        progress_unit="",
        progress_label="",
        error_kind="",
        error_message="",
        error_remedy="",
        error_details="",
        events_offset=0,
    )


def last_position(session: Session) -> float:
    """The place behind every job that waits."""
    return float(session.scalar(select(func.coalesce(func.max(JobRow.position), 0.0))) or 0.0) + 1.0


def _forget_checkpoints(folder: Path) -> None:
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    if folder.is_dir():
        (folder / "checkpoints").mkdir(exist_ok=True)
