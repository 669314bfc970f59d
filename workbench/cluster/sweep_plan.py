"""Makes the plan of a sweep: the job of every trial, checked before the first one starts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from msgspec import Struct

from workbench.catalogue_entry import OperationEntry
from workbench.cluster.choice import at_place
from workbench.cluster.place import Place
from workbench.cluster.sweep_file import Mode, Plan
from workbench.cluster.sweep_space import Dimension, Fields, read_dimension, trials
from workbench.cluster.sweep_trial import PROOF_FIGURES
from workbench.errors import UsageError
from workbench.jobs.build import file_name, make_follow_up, make_spec
from workbench.jobs.events import now
from workbench.jobs.proof_jobs import OPERATION as PROVE
from workbench.jobs.spec import JobSpec, ModelInput
from workbench.library.records import ModelRecord
from workbench.model import ModelFacts
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


#: Finds an operation by its name; raises a `NotFoundError` where there is none.
FindOperation = Callable[[str], OperationEntry]


def make_plan(session: Session, request: SweepRequest, find: FindOperation | None = None) -> Plan:
    """The plan of what is asked for.

    Args:
        find: Where operations are looked up, for who has read the catalogue already.

    Raises:
        UsageError: A step can't follow the one before, be used on the model, or tell what is compared.
        ParameterError: A value is wrong, in any trial.
        NotFoundError: There is no such operation or model.
    """
    find = find or session.catalogue.operation
    entries = [find(each) for each in request.operations]
    dimensions = dimensions_of(request, entries)
    values = tuple(trials(dimensions, request.samples, request.seed))
    proven = bool(request.prove) or request.operations[-1] == PROVE
    if request.metric in PROOF_FIGURES and not proven:
        raise UsageError(
            f"{request.metric} is a figure of a proof, and these trials end without one.",
            remedy="Have each result measured, or compare something else.",
        )
    making = _Making(
        request=request,
        entries=entries,
        proof=find(PROVE) if request.prove else None,
        places=session.settings.load().places,
        model=_model(session, request.model) if request.model else None,
    )
    specs = [making.spec({**request.fixed, **each}, number) for number, each in enumerate(values)]
    names = " → ".join(each.title for each in entries)
    model = making.model.record.name if making.model is not None else ""
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


def dimensions_of(request: SweepRequest, entries: Sequence[OperationEntry]) -> tuple[Dimension, ...]:
    """What is varied, checked against the operations of the recipe.

    Raises:
        UsageError: An operation is there twice, or a range makes no sense.
        ParameterError: There is no such parameter, or a value is wrong.
    """
    fields: Fields = {each.name: each.fields for each in entries}
    if len(fields) < len(entries):
        raise UsageError("A recipe that is swept has each operation once.")
    return tuple(read_dimension(each, fields) for each in request.vary)


class _Model(NamedTuple):
    """What the first step works on."""

    record: ModelRecord
    facts: ModelFacts
    source: ModelInput


def _model(session: Session, key: str) -> _Model:
    record = session.library.get(key)
    return _Model(record, session.library.facts(record.id), session.library.to_spec_input(record.id))


@dataclass(frozen=True)
class _Making:
    """What the job of every trial is made from."""

    request: SweepRequest
    entries: Sequence[OperationEntry]
    proof: OperationEntry | None
    places: tuple[Place, ...]
    model: _Model | None

    def spec(self, values: Mapping[str, Any], number: int) -> JobSpec:
        """The job of one trial, with the further steps and the proof behind it."""
        own = [_values_of(values, each.name, first=not at) for at, each in enumerate(self.entries)]
        record, facts, source = self.model or (None, None, None)
        first = make_spec(self.entries[0], record, facts, own[0], seed=self.request.seed, input=source)
        first = first.model_copy(
            update={
                "title": f"Trial {number + 1} · {first.title}",
                "output_name": file_name(f"{first.output_name}-t{number + 1}"),
            }
        )
        chain = [first]
        for entry, given in zip(self.entries[1:], own[1:], strict=True):
            chain.append(make_follow_up(entry, chain[-1], given))
        if self.proof is not None and first.model is not None:
            proof = {
                "form": self.request.prove,
                "stage": chain[-1].title,
                "against": str(first.model.path),
                "against_name": first.model.name,
            }
            chain.append(make_follow_up(self.proof, chain[-1], proof))
        made = self._placed(chain.pop())
        while chain:
            made = self._placed(chain.pop()).model_copy(update={"then": (made,)})
        return made

    def _placed(self, spec: JobSpec) -> JobSpec:
        return at_place(spec, self.places, self.request.place)


def _values_of(values: Mapping[str, Any], operation: str, *, first: bool) -> dict[str, Any]:
    """The values of one step; names without a dot belong to the first."""
    found = {}
    for name, value in values.items():
        owner, dot, parameter = name.rpartition(".")
        if owner == operation or (first and not dot):
            found[parameter] = value
    return found
