"""Makes the plan of a sweep: the job of every trial, checked before the first one starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from workbench.catalogue_entry import OperationEntry
from workbench.cluster.choice import at_place
from workbench.cluster.sweep_file import Mode, Plan
from workbench.cluster.sweep_space import Fields, read_dimension, trials
from workbench.errors import UsageError
from workbench.jobs.build import file_name, make_follow_up, make_spec
from workbench.jobs.events import now
from workbench.jobs.proof_jobs import OPERATION as PROVE
from workbench.jobs.spec import JobSpec
from workbench.session import Session


class SweepRequest(Struct, frozen=True, kw_only=True):
    """What a person asks for.

    Attributes:
        operations: The recipe: the first works on the model, each other on what the one before made.
        model: Id or name; None for an operation that makes one from nothing.
        fixed: Values that are the same in all trials, by parameter; of a later step `OPERATION.parameter`.
        vary: What is varied; see `sweep_space.read_dimension`.
        samples: Trials that are drawn by chance; 0 for all combinations.
        prove: The form of the proof that ends each trial; empty for none.
        place: Where the jobs run; empty for this computer.
    """

    operations: tuple[str, ...]
    model: str | None
    fixed: dict[str, Any]
    vary: tuple[str, ...]
    metric: str
    mode: Mode = "min"
    samples: int = 0
    seed: int = 0
    parallel: int = 1
    stop_early: bool = False
    prove: str = ""
    place: str = ""


def make_plan(session: Session, request: SweepRequest) -> Plan:
    """The plan of what is asked for.

    Raises:
        UsageError: A step can't follow the one before, or be used on the model.
        ParameterError: A value is wrong, in any trial.
        NotFoundError: There is no such operation or model.
    """
    entries = [session.catalogue.operation(each) for each in request.operations]
    fields: Fields = {each.name: each.fields for each in entries}
    if len(fields) < len(entries):
        raise UsageError("A recipe that is swept has each operation once.")
    dimensions = tuple(read_dimension(each, fields) for each in request.vary)
    values = tuple(trials(dimensions, request.samples, request.seed))
    specs = [
        _spec(session, request, entries, {**request.fixed, **each}, number)
        for number, each in enumerate(values)
    ]
    names = " → ".join(each.title for each in entries)
    model = session.library.get(request.model).name if request.model else ""
    return Plan(
        t=now(),
        title=f"{names}: {model}" if model else names,
        operation=request.operations[0],
        model=model,
        dimensions=dimensions,
        values=values,
        specs=tuple(each.model_dump(mode="json") for each in specs),
        metric=request.metric,
        mode=request.mode,
        seed=request.seed,
        parallel=max(1, min(request.parallel, len(values))),
        stop_early=request.stop_early,
    )


def _spec(
    session: Session,
    request: SweepRequest,
    entries: Sequence[OperationEntry],
    values: Mapping[str, Any],
    number: int,
) -> JobSpec:
    record = session.library.get(request.model) if request.model else None
    facts = session.library.facts(record.id) if record else None
    source = session.library.to_spec_input(record.id) if record else None
    own = [_values_of(values, each.name, first=not at) for at, each in enumerate(entries)]
    first = make_spec(entries[0], record, facts, own[0], seed=request.seed, input=source)
    first = first.model_copy(
        update={
            "title": f"Trial {number + 1} · {first.title}",
            "output_name": file_name(f"{first.output_name}-t{number + 1}"),
        }
    )
    chain = [first]
    for entry, given in zip(entries[1:], own[1:], strict=True):
        chain.append(make_follow_up(entry, chain[-1], given))
    if request.prove and first.model is not None:
        proof = {
            "form": request.prove,
            "stage": chain[-1].title,
            "against": str(first.model.path),
            "against_name": first.model.name,
        }
        chain.append(make_follow_up(session.catalogue.operation(PROVE), chain[-1], proof))
    places = session.settings.load().places
    made = at_place(chain.pop(), places, request.place)
    while chain:
        made = at_place(chain.pop(), places, request.place).model_copy(update={"then": (made,)})
    return made


def _values_of(values: Mapping[str, Any], operation: str, *, first: bool) -> dict[str, Any]:
    """The values of one step; names without a dot belong to the first."""
    found = {}
    for name, value in values.items():
        owner, dot, parameter = name.rpartition(".")
        if owner == operation or (first and not dot):
            found[parameter] = value
    return found
