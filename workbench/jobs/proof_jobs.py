"""Makes the jobs that prove: what another job is about to make, or a model that is in the library."""

from __future__ import annotations

from typing import Any, Literal

from workbench.catalogue_entry import OperationEntry
from workbench.errors import NotFoundError
from workbench.jobs.build import make_follow_up, make_spec
from workbench.jobs.spec import JobSpec
from workbench.library.library import Library
from workbench.library.records import ModelRecord
from workbench.session import Session

#: The operation that measures; see plugins/prove_model.py.
OPERATION = "prove"

ProofForm = Literal["none", "quick", "full"]

#: The group of the operations that teach a model, or put into it what it was taught.
_TEACHING = "Fine-tune"

#: Formats of whole models: an adapter is measured by its training.
_WHOLE = ("gguf", "hf", "mlx")


def can_end_with_proof(entry: OperationEntry) -> bool:
    """Whether an operation makes a whole model from another, which it can be compared with."""
    return entry.input is not None and entry.output in _WHOLE


def retrains(entry: OperationEntry) -> bool:
    """Whether an operation changes predictions on purpose, so that a distance is no fault."""
    return entry.group == _TEACHING


def with_proof(spec: JobSpec, proof: OperationEntry, form: ProofForm, *, retrained: bool = False) -> JobSpec:
    """A job that is followed by the proof of its result against what it was made from.

    Args:
        proof: The catalogue's entry of `OPERATION`.
        retrained: Whether the job's operation `retrains`.
        form: `none` leaves the job as it is.
    """
    if form == "none" or spec.model is None:
        return spec
    values = {
        "form": form,
        "stage": spec.title,
        "retrained": retrained,
        **_against(str(spec.model.path), spec.model.name),
    }
    return spec.model_copy(update={"then": (*spec.then, make_follow_up(proof, spec, values))})


def proof_of(
    library: Library,
    proof: OperationEntry,
    model_id: str,
    form: Literal["quick", "full"] = "quick",
    *,
    against_id: str | None = None,
    again: bool = False,
    retrained: bool = False,
) -> JobSpec:
    """The job that measures a model of the library.

    Args:
        against_id: What to compare it with; the nearest model that it was made from if none is named. One
            that was made from none is measured alone.
        again: Measure anew what was measured before.
        retrained: See `was_retrained`.

    Raises:
        NotFoundError: The model is not in the library.
        UsageError: It is an adapter.
    """
    record = library.get(model_id)
    reference = library.get(against_id) if against_id is not None else _ancestor(library, record)
    values: dict[str, Any] = {"form": form, "again": again, "retrained": retrained}
    if reference is not None:
        values |= _against(str(reference.path), reference.name)
    facts = library.facts(record.id)
    return make_spec(proof, record, facts, values, input=library.to_spec_input(record.id))


def was_retrained(session: Session, model_id: str) -> bool:
    """Whether the job that made a model trained it, as far as the job and its operation are still known."""
    record = session.library.get(model_id)
    if record.job_id is None:
        return False
    try:
        made_by = session.board.get(record.job_id).operation
        return retrains(session.catalogue.operation(made_by))
    except NotFoundError:
        return False


def _against(path: str, name: str) -> dict[str, Any]:
    return {"against": path, "against_name": name}


def _ancestor(library: Library, record: ModelRecord) -> ModelRecord | None:
    """The nearest whole model above one."""
    seen: set[str] = set()
    while record.parent_id is not None and record.parent_id not in seen:
        seen.add(record.parent_id)
        try:
            record = library.get(record.parent_id)
        except NotFoundError:
            return None
        if record.format in _WHOLE:
            return record
    return None
