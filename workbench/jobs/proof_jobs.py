"""Makes the jobs that prove: what another job is about to make, or a model that is in the library."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

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

#: The group of the operations that take something out of a model, so that it predicts otherwise.
_PRUNING = "Prune"

#: Formats of whole models: an adapter is measured by its training.
_WHOLE = ("gguf", "hf", "mlx")


def can_end_with_proof(entry: OperationEntry) -> bool:
    """Whether an operation makes a whole model from another, which it can be compared with."""
    return entry.input is not None and entry.output in _WHOLE


class Purpose(NamedTuple):
    """What a step changes on purpose, so that it is no fault.

    Attributes:
        retrained: It teaches or prunes, so that predictions differ.
        merged: It puts adapters into a model, which must not be one that was rounded since they were trained.
    """

    retrained: bool = False
    merged: bool = False


NO_PURPOSE = Purpose()


def purpose_of(entry: OperationEntry) -> Purpose:
    """What an operation changes on purpose.

    One that teaches makes an adapter or a model, as it is told; one that always makes a model of what was
    taught before merges it.
    """
    teaches = entry.group == _TEACHING
    return Purpose(retrained=teaches or entry.group == _PRUNING, merged=teaches and can_end_with_proof(entry))


def purpose_of_model(session: Session, model_id: str) -> Purpose:
    """What the job that made a model changed on purpose, as far as it and its operation are still known."""
    record = session.library.get(model_id)
    if record.job_id is None:
        return Purpose()
    try:
        made_by = session.board.get(record.job_id).operation
        return purpose_of(session.catalogue.operation(made_by))
    except NotFoundError:
        return Purpose()


def with_proof(
    spec: JobSpec, proof: OperationEntry, form: ProofForm, purpose: Purpose = NO_PURPOSE
) -> JobSpec:
    """A job that is followed by the proof of its result against what it was made from.

    Args:
        proof: The catalogue's entry of `OPERATION`.
        purpose: Of the job's operation.
        form: `none` leaves the job as it is.
    """
    if form == "none" or spec.model is None:
        return spec
    values = {
        "form": form,
        "stage": spec.title,
        **purpose._asdict(),
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
    metrics: Sequence[str] = (),
    purpose: Purpose = NO_PURPOSE,
) -> JobSpec:
    """The job that measures a model of the library.

    Args:
        against_id: What to compare it with; the nearest model that it was made from if none is named. One
            that was made from none is measured alone.
        again: Measure anew what was measured before.
        metrics: Figures of plugins to measure too; those that no plugin offers any more are left out.
        purpose: Of what made the model.

    Raises:
        NotFoundError: The model is not in the library.
        UsageError: It is an adapter.
    """
    record = library.get(model_id)
    reference = library.get(against_id) if against_id is not None else _ancestor(library, record)
    offered = {each.key for each in proof.metrics}
    named = [each for each in metrics if each in offered]
    values: dict[str, Any] = {"form": form, "again": again, "metrics": named, **purpose._asdict()}
    if reference is not None:
        values |= _against(str(reference.path), reference.name)
        values |= on_the_way(library, record.id, reference.id)
    facts = library.facts(record.id)
    return make_spec(proof, record, facts, values, input=library.to_spec_input(record.id))


def on_the_way(library: Library, model_id: str, against_id: str) -> dict[str, list[str]]:
    """The models between one and another that it was made from, as parameters of a proof: oldest first.

    With them a proof can say which step broke something. There are none where the one was made from the other
    at once or not at all, or where one of them is gone.
    """
    between: list[ModelRecord] = []
    record, seen = library.get(model_id), {model_id}
    while record.parent_id is not None and record.parent_id not in seen:
        if record.parent_id == against_id:
            return {
                "between": [str(each.path) for each in between],
                "between_names": [each.name for each in between],
            }
        seen.add(record.parent_id)
        try:
            record = library.get(record.parent_id)
        except NotFoundError:
            break
        if record.format in _WHOLE:
            if not record.path.exists():
                break
            between.insert(0, record)
    return {"between": [], "between_names": []}


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
