"""What the catalogue writes down of each plugin: all that the window ever sees of one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from workbench.model import FORMAT_TITLES, ModelFacts
from workbench.offered import Offered, named_values
from workbench.params import FieldSpec
from workbench.plugin.measuring import MetricDeclaration
from workbench.plugin.operation import Declaration
from workbench.plugin.reading import ReaderDeclaration
from workbench.plugin.training import TrainingDeclaration


class Offer(BaseModel):
    """Something that a plugin offers, with where it comes from.

    Attributes:
        plugin: A module name, or `file:NAME.py`.
        source: What a person is shown of that.
        requires: What its package requires and Tenfold's environment lacks.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    plugin: str
    source: str
    requires: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """How a parameter names it."""
        return str(Offered(self.plugin, self.name))


class ReaderEntry(Offer, ReaderDeclaration):
    """One data reader as data."""

    def reads(self, path: str) -> bool:
        """Whether a file's name has one of the endings."""
        return path.lower().endswith(self.suffixes)


class MetricEntry(Offer, MetricDeclaration):
    """One metric as data."""


class TrainingEntry(Offer, TrainingDeclaration):
    """One training method as data."""


class OperationEntry(Declaration):
    """One operation as data: what it declares, its parameters, and where it comes from.

    Attributes:
        plugin: Where it comes from: a module name, or `file:NAME.py`.
        source: What a person is shown of that, for example `tenfold 0.1.0` or a file path.
        digest: Hash of the plugin's file when the entry was written.
        readers: What reads further kinds of files for its parameters; none where no plugin offers one.
        metrics: What its parameters may name to be measured; none where it measures nothing of plugins.
        trainings: What its parameters may name to be learned with; none where it learns no plugin's loss.
    """

    fields: tuple[FieldSpec, ...]
    plugin: str
    source: str
    digest: str
    readers: tuple[ReaderEntry, ...] = ()
    metrics: tuple[MetricEntry, ...] = ()
    trainings: tuple[TrainingEntry, ...] = ()

    def trainings_for(self, params: Mapping[str, Any]) -> tuple[TrainingEntry, ...]:
        """The training methods that parameters name; `params` are checked values."""
        named = named_values(self.fields, params)
        return tuple(each for each in self.trainings if each.key in named)

    def metrics_for(self, params: Mapping[str, Any]) -> tuple[MetricEntry, ...]:
        """The metrics that parameters name; `params` are checked values."""
        named = named_values(self.fields, params)
        return tuple(each for each in self.metrics if each.key in named)

    def readers_for(self, params: Mapping[str, Any]) -> tuple[ReaderEntry, ...]:
        """The readers that files among parameters need; `params` are checked values."""
        found: dict[ReaderEntry, None] = {}
        for field in self.fields:
            value = params.get(field.name)
            if field.kind in ("path", "paths") and value:
                for path in [value] if isinstance(value, str) else value:
                    first = next((each for each in self.readers if each.reads(path)), None)
                    found |= {first: None} if first is not None else {}
        return tuple(found)

    def obstacles(self, facts: ModelFacts) -> tuple[str, ...]:
        """Why the operation can't be used on a model; empty where it can."""
        if self.input is None:
            return ("It makes a model from nothing.",)
        if facts.format == "adapter" and self.input != "adapter":
            return ("An adapter changes a model and is none itself: choose its base.",)
        if self.input != "any" and facts.format != self.input:
            return (
                f"It takes {FORMAT_TITLES[self.input]} models; this one is {FORMAT_TITLES[facts.format]}.",
            )
        values = facts.model_dump()
        return tuple(
            condition.otherwise or f"It needs {condition.name} {condition.test} {condition.value}."
            for condition in self.applies
            if not condition.holds(values)
        )

    def cautions(self, facts: ModelFacts) -> tuple[str, ...]:
        """What to think of before the operation is used on a model; empty where nothing speaks against it."""
        values = facts.model_dump()
        return tuple(condition.otherwise for condition in self.advised if not condition.holds(values))

    def result_label(self, params: Mapping[str, Any]) -> str:
        """How the result is named after its parent, for example `Q4_K_M`; a hidden parameter says nothing."""
        shown = {
            field.name: params.get(field.name, "") if field.shown(params) else "" for field in self.fields
        }
        return self.label.format_map(shown).strip(" -_") if self.label else self.name

    def result_origin(self, params: Mapping[str, Any]) -> str:
        """Where the result comes from, for example `hf:org/name`; empty where its parent says all.

        Files are called by their names alone.
        """
        named: dict[str, Any] = {field.name: params.get(field.name) for field in self.fields}
        for field in self.fields:
            if field.kind == "path" and named[field.name]:
                named[field.name] = Path(named[field.name]).name
            elif field.kind == "paths":
                named[field.name] = " + ".join(Path(each).name for each in named[field.name] or ())
        return self.origin.format_map(named)


class DrafterEntry(BaseModel):
    """One drafter as data. See `workbench.plugin.drafter` for the meaning of each field.

    Attributes:
        plugin: Where it comes from: a module name, or `file:NAME.py`.
        source: What a person is shown of that.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    title: str
    summary: str
    documentation: str
    api_version: str
    plugin: str
    source: str


Entry = OperationEntry | DrafterEntry | ReaderEntry | MetricEntry | TrainingEntry


class PluginFailure(BaseModel):
    """A plugin that could not be catalogued: it raised, hung, or ended its process."""

    model_config = ConfigDict(frozen=True)

    plugin: str
    source: str
    reason: str
    traceback: str = ""


class PluginRecord(BaseModel):
    """One plugin with all that is known of it; one that is switched off was not imported.

    Attributes:
        name: As a job's spec names it: a module, or `file:NAME.py`.
        title: What a person calls it.
        kind: Ours, of Tenfold's Python environment, installed into the home, a linked folder, or a file.
        package: The distribution that it belongs to; empty for a file.
        place: The file or folder that it lies in; empty where that is Tenfold's environment.
        requires: What its package requires and Tenfold's environment lacks.
        operations: What it offers; of one that is switched off, what it offered when it was last on.
        drafters: The ways to guess ahead that it offers.
        readers: The kinds of files that it reads.
        metrics: The figures that it measures.
        trainings: The losses that it offers to learn with.
        failure: Why it offers nothing.
        pending: Whether it is still to be looked at, so that what it offers is not known yet.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    title: str
    kind: Literal["ours", "environment", "installed", "linked", "file"]
    package: str
    version: str
    source: str
    place: str
    enabled: bool
    requires: tuple[str, ...] = ()
    operations: tuple[OperationEntry, ...] = ()
    drafters: tuple[DrafterEntry, ...] = ()
    readers: tuple[ReaderEntry, ...] = ()
    metrics: tuple[MetricEntry, ...] = ()
    trainings: tuple[TrainingEntry, ...] = ()
    failure: PluginFailure | None = None
    pending: bool = False

    @property
    def offered(self) -> tuple[Entry, ...]:
        """All that it offers, operations first."""
        return (*self.operations, *self.drafters, *self.readers, *self.metrics, *self.trainings)
