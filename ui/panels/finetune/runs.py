"""The runs on a model as a list shows them: by the name of their result, with what they brought."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from ui import format
from ui.widgets.job_words import duration_of, state_line
from ui.widgets.tuning_words import gain_and_price
from workbench.errors import WorkbenchError
from workbench.jobs.records import JobRecord
from workbench.library.records import ModelRecord
from workbench.session import Session


class Runs:
    """Reads them from a home; what stays the same of a run is read once."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._names: dict[str, str] = {}
        self._gains: dict[str, str] = {}

    def on_model(self, model: ModelRecord, operations: Collection[str]) -> list[JobRecord]:
        """The runs of some operations on a model, newest first."""
        jobs = self._session.board.list()
        mine = (job for job in jobs if job.model_id == model.id and job.operation in operations)
        return self.named(mine, model.name)

    def named(self, jobs: Iterable[JobRecord], model_name: str) -> list[JobRecord]:
        """The same records, called by their result and when they began: operation and model are the same."""
        return [
            replace(
                job,
                title=f"{short_name(self._name(job), model_name)} · {format.date(job.created_at)}",
            )
            for job in jobs
        ]

    def line(self, job: JobRecord) -> str:
        """The line under a run's name: what it brought, else how it stands."""
        if job.state != "done" or job.result_model_id is None:
            return state_line(job)
        if job.id not in self._gains:
            self._gains[job.id] = self._gain(job.result_model_id)
        gain = self._gains[job.id]
        return f"{gain} · {format.duration(duration_of(job))}" if gain else state_line(job)

    def _name(self, job: JobRecord) -> str:
        if job.id not in self._names:
            try:
                self._names[job.id] = self._session.board.spec(job.id).output_name
            except WorkbenchError:
                # It was removed a moment ago, and its line is about to go.
                return job.title
        return self._names[job.id]

    def _gain(self, model_id: str) -> str:
        try:
            tuning = self._session.library.facts(model_id).tuning
        except WorkbenchError:
            # The result was removed from the library; the run is still there.
            return ""
        return gain_and_price(tuning) if tuning is not None else ""


def short_name(name: str, model_name: str) -> str:
    """A result's name without that of its base.

    >>> short_name("SmolLM2-135M-desk-codes", "SmolLM2-135M")
    'desk-codes'
    """
    rest = name.removeprefix(model_name).lstrip(" -._")
    return rest if rest and len(rest) < len(name) else name
