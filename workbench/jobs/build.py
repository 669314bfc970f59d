"""Makes the spec of a job from what a person chose: an operation, a model, values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, Protocol

from workbench import __version__
from workbench.catalogue_entry import OperationEntry
from workbench.errors import ParameterError, UsageError
from workbench.jobs.spec import JobSpec, ModelInput, ReaderInput
from workbench.model import ModelFacts
from workbench.offered import in_full, plugins_named
from workbench.params import FieldSpec, validate

#: Types that stand at the end of a name, so that the result of a second step does not carry both.
_TYPE_ENDINGS = ("F32", "F16", "BF16")
_MAX_NAME = 120


class NamedModel(Protocol):
    """As much of a library's record as a job's name needs."""

    @property
    def id(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def quantization(self) -> str: ...


def make_spec(
    entry: OperationEntry,
    model: NamedModel | None,
    facts: ModelFacts | None,
    values: Mapping[str, Any],
    *,
    seed: int = 0,
    input: ModelInput | None = None,
) -> JobSpec:
    """The job that applies an operation to a model.

    Args:
        model: The model's record; None for an operation that makes one from nothing.
        facts: The model's facts, for the conditions that the operation states.
        values: Parameter values: typed, or text as from a command line.
        input: The model as `Library.to_spec_input` gives it.

    Raises:
        UsageError: The operation can't be used on this model, or needs one, or names what no plugin offers.
        ParameterError: A value is wrong.
    """
    if entry.input is not None:
        if model is None or facts is None or input is None:
            raise UsageError(f"{entry.title} needs a model.", remedy="Choose one first.")
        obstacles = entry.obstacles(facts)
        if obstacles:
            raise UsageError(f"{entry.title} can't be used on {model.name}. {' '.join(obstacles)}")
    checked = _checked(entry, values)
    label = entry.result_label(checked)
    output_name = file_name(f"{_stem(model)}-{label}" if model is not None else label)
    title = f"{entry.title} ({label}): {model.name}" if model is not None else f"{entry.title} {label}"
    return JobSpec(
        operation=entry.name,
        plugin=entry.plugin,
        title=title,
        model=input,
        params=checked,
        readers=_readers(entry, checked),
        also=plugins_named(entry.fields, checked),
        notes=_notes(entry.fields),
        seed=seed,
        needs=entry.needs,
        output_name=output_name,
        output_format=entry.output,
        result_source=entry.result_origin(checked),
        resumable=entry.resumable,
        restarts=entry.restarts,
        requires=_requires(entry, checked),
        backend=entry.backend,
        tenfold_version=__version__,
        api_version=entry.api_version,
    )


def make_follow_up(entry: OperationEntry, before: JobSpec, values: Mapping[str, Any]) -> JobSpec:
    """The job that applies an operation to what another job will make, for its `then`.

    What the result is nobody knows yet, so conditions on it are the worker's to judge.

    Raises:
        ParameterError: A value is wrong.
    """
    checked = _checked(entry, values)
    label = entry.result_label(checked)
    return JobSpec(
        operation=entry.name,
        plugin=entry.plugin,
        title=f"{entry.title} ({label}): {before.output_name}",
        params=checked,
        readers=_readers(entry, checked),
        also=plugins_named(entry.fields, checked),
        notes=_notes(entry.fields),
        seed=before.seed,
        needs=entry.needs,
        output_name=file_name(f"{before.output_name}-{label}"),
        output_format=entry.output,
        resumable=entry.resumable,
        restarts=entry.restarts,
        requires=_requires(entry, checked),
        backend=entry.backend,
        tenfold_version=__version__,
        api_version=entry.api_version,
    )


def _checked(entry: OperationEntry, values: Mapping[str, Any]) -> dict[str, Any]:
    """Checked values, with the options of a training method that they name."""
    checked = in_full(entry.fields, validate(entry.fields, values))
    named = {each.key: each for each in entry.trainings}
    for field in entry.fields:
        method = named.get(str(checked.get(field.name))) if field.offered == "training-method" else None
        options = f"{field.name}_options"
        if method is not None and options in checked:
            try:
                validate(method.fields, checked[options])
            except ParameterError as error:
                told = f"{method.title}: {error.message}"
                raise ParameterError(options, told, remedy=error.remedy) from error
    return checked


def _readers(entry: OperationEntry, params: Mapping[str, Any]) -> tuple[ReaderInput, ...]:
    return tuple(
        ReaderInput(name=each.name, plugin=each.plugin, suffixes=each.suffixes)
        for each in entry.readers_for(params)
    )


def _requires(entry: OperationEntry, params: Mapping[str, Any]) -> tuple[str, ...]:
    """What the operation requires, and what reads its files, measures for it, or is its loss."""
    more = [each.requires for each in entry.readers_for(params)]
    more += [each.requires for each in entry.metrics_for(params)]
    more += [each.requires for each in entry.trainings_for(params)]
    return tuple(dict.fromkeys((*entry.requires, *chain.from_iterable(more))))


def _notes(fields: Sequence[FieldSpec]) -> dict[str, str]:
    """What each parameter does, with the unit of its value."""
    return {
        field.name: f"{field.help.rstrip('.')} ({field.unit})." if field.unit else field.help
        for field in fields
    }


def file_name(text: str) -> str:
    """A name that every file system takes: letters, digits and `._-+ ` stay, the rest becomes a dash."""
    kept = "".join(sign if sign.isalnum() or sign in "._-+ " else "-" for sign in text)
    return kept.strip(" .-")[:_MAX_NAME] or "result"


def _stem(model: NamedModel) -> str:
    """The model's name without the type that the result replaces.

    >>> from types import SimpleNamespace
    >>> _stem(SimpleNamespace(id="", name="SmolLM2-135M-F16", quantization="F16"))
    'SmolLM2-135M'
    """
    name = model.name.removesuffix(".gguf")
    for ending in (model.quantization, *_TYPE_ENDINGS):
        if ending and name.casefold().endswith(ending.casefold()) and len(name) > len(ending) + 2:
            cut = name[: -len(ending)].rstrip(" -._")
            if cut and name[len(cut)] in " -._":
                return cut
    return name
