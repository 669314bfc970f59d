"""Takes what a job published into the library."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.orm import Session

from workbench.jobs.events import Artifact
from workbench.jobs.spec import JobSpec
from workbench.library.inspect import inspect
from workbench.library.library import Library
from workbench.store.tables import JobRow


def register(session: Session, library: Library, row: JobRow, folder: Path, artifact: Artifact) -> str:
    """Register a model that a job made, in the transaction that makes the job done. Returns the model's id.

    Raises:
        ModelFileError: The file is gone or can't be read any more.
    """
    spec = JobSpec.model_validate_json(row.spec)
    path = folder / artifact.path
    record = library.add_result(
        job_id=row.id,
        parent_id=row.model_id,
        path=path,
        name=artifact.name or spec.output_name,
        facts=inspect(path),
        sha256=artifact.sha256 or None,
        source=spec.result_source or "job",
        session=session,
    )
    return record.id
