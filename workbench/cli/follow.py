"""Submits a job and waits for it, with its progress on standard error."""

from __future__ import annotations

import time
from contextlib import ExitStack

from workbench.cli.answer import Answer, size
from workbench.errors import HomeInUseError
from workbench.home import Home
from workbench.jobs.events import EventTail
from workbench.jobs.records import JobRecord
from workbench.jobs.runner import Runner, exit_code_of, is_resting
from workbench.jobs.spec import JobSpec
from workbench.jobs.terminal import TerminalWatch
from workbench.session import Session

_TICK_S = 0.05
#: How often a command looks whether whoever runs the jobs of a home has gone.
_TAKE_OVER_S = 1.0


def run_job(home: Home, spec: JobSpec) -> Answer:
    """Run a job to its end: here, or by the window that has this home open.

    Ctrl+C cancels the job and waits for it to let go; the answer's exit code is 130 then.
    """
    with _open(home) as session:
        job = session.board.submit(spec)
        return _wait(session, job)


def wait_for(home: Home, job_id: str) -> Answer:
    """Wait for a job that was put into the queue again."""
    with _open(home) as session:
        return _wait(session, session.board.get(job_id))


def _open(home: Home) -> Session:
    try:
        return Session.open(home, supervise=True)
    except HomeInUseError:
        # A window works on this home: it runs the job, and here it is watched, and run where that one ends.
        return Session.open(home, supervise=False)


def _wait(session: Session, job: JobRecord) -> Answer:
    tail = EventTail(job.folder / "events.jsonl")
    watch = TerminalWatch()
    asked = False
    with ExitStack() as closing:
        runner = session.runner
        if runner is not None:
            runner.only = {job.id}
        look_again = time.monotonic() + _TAKE_OVER_S
        while True:
            try:
                resting = _step(session, runner, job, tail, watch)
                if resting is not None:
                    return _answer(session, resting)
                if runner is None and time.monotonic() > look_again:
                    runner = _taken_over(session, job, closing)
                    look_again = time.monotonic() + _TAKE_OVER_S
                time.sleep(_TICK_S)
            except KeyboardInterrupt:
                if asked:
                    raise
                asked = True
                session.board.cancel(job.id)


def _taken_over(session: Session, job: JobRecord, closing: ExitStack) -> Runner | None:
    """What runs this job where the window or command that ran the home's jobs has ended; else None."""
    try:
        runner = session.new_runner()
    except HomeInUseError:
        return None
    closing.callback(runner.close)
    runner.only = {job.id}
    return runner


def _step(
    session: Session, runner: Runner | None, job: JobRecord, tail: EventTail, watch: TerminalWatch
) -> JobRecord | None:
    if runner is not None:
        runner.poll()
    now = session.board.get(job.id)
    for event in tail.read():
        watch(event)
    at_work = runner is not None and job.id in runner.running
    return now if is_resting(now.state) and not at_work else None


def _answer(session: Session, job: JobRecord) -> Answer:
    data: dict[str, object] = {"job": job.id, "state": job.state}
    text = f"{job.title}: {job.state}."
    if job.error_message:
        data["error"] = {"kind": job.error_kind, "message": job.error_message, "remedy": job.error_remedy}
        text = f"{job.title}: {job.error_message} {job.error_remedy}".rstrip()
    if job.result_model_id is not None:
        model = session.library.get(job.result_model_id)
        data |= {"id": model.id, "model": model.id, "path": str(model.path), "sha256": model.sha256}
        text = f"{model.id}  {model.name}  {model.quantization}  {size(model.size_bytes)}\n{model.path}"
    return Answer(text, data, exit_code_of(job.state))
