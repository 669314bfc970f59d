"""Finds the jobs that lead to a model, and puts them into the order of their running."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.errors import NotFoundError, UsageError
from workbench.home import Home
from workbench.jobs.events import Artifact
from workbench.jobs.expected import told_inputs
from workbench.jobs.folder import read_spec
from workbench.jobs.recover import last_event
from workbench.jobs.spec import JobSpec, ModelInput
from workbench.library.library import Library
from workbench.library.records import ModelRecord
from workbench.recipes.arguments import MODEL
from workbench.recipes.steps import FromInput, FromStep, Source


@dataclass(frozen=True)
class Link:
    """One job of a chain.

    Attributes:
        name: What the step is called.
        start: The model that it starts from.
        made_of: The paths among its parameters that stand for models or for what other jobs made.
        files: The hashes of its other files, by parameter, as it told them when it ran.
        made: What it made.
    """

    name: str
    spec: JobSpec
    start: Source | None
    made_of: Mapping[str, Source]
    files: Mapping[str, tuple[str, ...]]
    made: Artifact


@dataclass(frozen=True)
class Chain:
    """The jobs that lead to a model, each after those that it needs, and the models that they start from."""

    model: ModelRecord
    links: tuple[Link, ...]
    inputs: Mapping[str, ModelInput]


def chain_of(home: Home, library: Library, model: ModelRecord, begin: ModelRecord | None = None) -> Chain:
    """The jobs that made a model, back to what was not made here.

    Args:
        begin: The model that the recipe starts from, instead of the one that it was made from.

    Raises:
        UsageError: The model was not made here, or its jobs go in a circle.
        NotFoundError: A job on the way was removed, so that nobody knows what it did.
    """
    return _Search(home, library.list(), begin).chain(model)


def not_made_here(model: ModelRecord) -> str:
    """Why a model has no recipe; empty where a job made it."""
    return "" if model.job_id else f"{model.name} was added, and no job made it here."


class _Search:
    def __init__(self, home: Home, records: list[ModelRecord], begin: ModelRecord | None) -> None:
        self._jobs = home.jobs
        self._by_id = {each.id: each for each in records}
        self._by_path = {str(each.path): each for each in records}
        self._begin = begin
        self._specs: dict[str, JobSpec] = {}
        self._order: list[str] = []
        self._names: dict[str, str] = {}
        self._inputs: dict[str, ModelInput] = {}

    def chain(self, model: ModelRecord) -> Chain:
        reason = not_made_here(model)
        if model.job_id is None or model == self._begin:
            raise UsageError(
                reason or f"A recipe that leads to {model.name} can't start from it.",
                remedy="A recipe is made of jobs: choose a model that one made.",
            )
        self._visit(model.job_id, model.name)
        for job_id in self._order:
            self._names[job_id] = _free_name(self._specs[job_id].operation, self._names.values())
        main = self._main_input(model.job_id)
        if main is not None:
            self._inputs[MODEL] = self._with_hash(main)
        return Chain(model, tuple(map(self._link, self._order)), self._inputs)

    def _visit(self, job_id: str, name: str) -> None:
        """Put a job behind all that it needs, without recursion: a chain of derivations may be long."""
        under_way: list[str] = []
        waiting = [(job_id, name, False)]
        while waiting:
            each, what, left = waiting.pop()
            if left:
                under_way.remove(each)
                self._order.append(each)
            elif each in under_way:
                raise UsageError(
                    f"{what} was made from what was made of it, as the jobs here say: they go in a circle.",
                    remedy="The home is damaged. Name a model on the way with --from.",
                )
            elif each not in self._order:
                under_way.append(each)
                waiting.append((each, what, True))
                # The first of them is taken first, so that a main line stands before what is beside it.
                waiting += [(job, of, False) for job, of in reversed(list(self._needs(each, what)))]

    def _needs(self, job_id: str, what: str) -> Iterator[tuple[str, str]]:
        """The jobs that made what a job works on, with the names of that."""
        spec = self._spec(job_id, what)
        model = self._maker(spec.model) if spec.model is not None else None
        if spec.model is not None and model is not None:
            yield model, spec.model.name
        for path in _paths(spec.params):
            maker = self._maker_of_path(path)
            if maker is not None:
                yield maker, Path(path).name

    def _spec(self, job_id: str, what: str) -> JobSpec:
        if job_id not in self._specs:
            try:
                self._specs[job_id] = read_spec(self._jobs / job_id)
            except NotFoundError as error:
                raise NotFoundError(
                    f"How {what} was made is not known any more: its job {job_id} was removed.",
                    remedy=f"`tenfold models export-recipe` starts a recipe from it with --from {what!r}.",
                    details=str(error),
                ) from error
        return self._specs[job_id]

    def _maker(self, model: ModelInput) -> str | None:
        """The job that made a model; None for one that was added, or that the recipe starts from."""
        record = self._by_id.get(model.id)
        if record is not None:
            return record.job_id if record != self._begin else None
        return self._maker_of_path(str(model.path))

    def _maker_of_path(self, path: str) -> str | None:
        record = self._by_path.get(path)
        if record is not None:
            return record.job_id if record != self._begin else None
        place = Path(path)
        if not place.is_relative_to(self._jobs):
            return None
        job_id = place.relative_to(self._jobs).parts[0]
        return job_id if (self._jobs / job_id / "events.jsonl").is_file() else None

    def _main_input(self, job_id: str) -> ModelInput | None:
        """The model that the main line starts from: the first of what was made into what."""
        while True:
            model = self._specs[job_id].model
            maker = self._maker(model) if model is not None else None
            if maker is None:
                return model
            job_id = maker

    def _link(self, job_id: str) -> Link:
        spec = self._specs[job_id]
        made = last_event(self._jobs / job_id, Artifact)
        if made is None:
            raise NotFoundError(f"What “{spec.title}” made is not known any more: its events are damaged.")
        start: Source | None = None
        if spec.model is not None:
            maker = self._maker(spec.model)
            start = FromStep(self._names[maker]) if maker is not None else self._input(spec.model)
        made_of: dict[str, Source] = {}
        for path in _paths(spec.params):
            maker, record = self._maker_of_path(path), self._by_path.get(path)
            if maker is not None:
                made_of[path] = FromStep(self._names[maker])
            elif record is not None:
                made_of[path] = self._input(record.as_input())
        return Link(self._names[job_id], spec, start, made_of, told_inputs(self._jobs / job_id), made)

    def _input(self, model: ModelInput) -> FromInput:
        for name, known in self._inputs.items():
            if known.path == model.path or (known.id and known.id == model.id):
                return FromInput(name)
        name = _free_name(_word(model.name), {MODEL, *self._inputs})
        self._inputs[name] = self._with_hash(model)
        return FromInput(name)

    def _with_hash(self, model: ModelInput) -> ModelInput:
        """A model as it is named in the recipe; its hash may have become known only after its job began."""
        record = self._by_id.get(model.id)
        known = model.sha256 or (record.sha256 if record is not None else None)
        return model.model_copy(update={"sha256": known})


def _paths(params: Mapping[str, Any]) -> Iterator[str]:
    """The values that are whole paths, whether or not anything is there still."""
    for value in params.values():
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, str) and Path(each).is_absolute():
                yield each


def _word(name: str) -> str:
    """A model's name as a word of a command line: `Llama 3 (8B)` becomes `llama-3-8b`."""
    kept = "".join(sign if sign.isascii() and sign.isalnum() else "-" for sign in name.lower())
    return "-".join(filter(None, kept.split("-"))) or "model-2"


def _free_name(name: str, taken: Any) -> str:
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}-{number}"
    return free
