"""Takes in what a job published: a model, a proof, and the jobs that follow on it."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.orm import Session

from workbench.errors import DiskFullError
from workbench.home import Home
from workbench.jobs import folder as job_folder
from workbench.jobs.board import last_position, new_row
from workbench.jobs.events import Artifact
from workbench.jobs.spec import JobSpec, ModelInput
from workbench.library.inspect import inspect
from workbench.library.library import Library
from workbench.library.records import ModelRecord
from workbench.measure.card import ENDING, read_card
from workbench.measure.proofs import Proofs
from workbench.store.tables import JobRow


def register(
    session: Session, library: Library, row: JobRow, folder: Path, artifact: Artifact
) -> ModelRecord:
    """Register a model that a job made, in the transaction that makes the job done.

    Raises:
        ModelFileError: The file is gone or can't be read any more.
    """
    spec = JobSpec.model_validate_json(row.spec)
    path = folder / artifact.path
    return library.add_result(
        job_id=row.id,
        parent_id=row.model_id,
        path=path,
        name=artifact.name or spec.output_name,
        facts=inspect(path),
        sha256=artifact.sha256 or None,
        source=spec.result_source or "job",
        session=session,
    )


def queue_what_follows(session: Session, home: Home, row: JobRow, made: ModelRecord) -> None:
    """Queue the jobs on a model that a job made, in the transaction that makes the job done.

    Raises:
        OSError: The disk has no room for a job's folder.
    """
    spec = JobSpec.model_validate_json(row.spec)
    given = ModelInput(
        id=made.id,
        name=made.name,
        path=made.path,
        format=made.format,
        sha256=made.sha256,
        source=made.source,
    )
    for each in spec.then:
        filled = each.model_copy(update={"model": given})
        job_id = job_folder.new_id()
        # The folder comes first, as everywhere: without its row it is found and queued at the next start.
        job_folder.create(home.jobs, job_id, filled)
        session.add(new_row(job_id, filled, position=last_position(session)))
        session.flush()


def keep_proof(home: Home, folder: Path, artifact: Artifact) -> None:
    """Put a proof card that a job published among the cards of its home; any other file stays where it is.

    Raises:
        CardError: It is called a proof and is none.
        DiskFullError: The disk has no room for it.
    """
    if not artifact.path.endswith(ENDING):
        return
    card = read_card(folder / artifact.path)
    try:
        Proofs(home.proofs).add(card)
    except OSError as error:
        raise DiskFullError(home.proofs) from error
