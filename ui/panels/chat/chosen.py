"""What answers in Chat: a model, or an adapter together with its base."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from workbench.engines.request import AdapterOptions
from workbench.errors import WorkbenchError
from workbench.library.bases import base_to_load, no_base
from workbench.library.library import Library
from workbench.library.records import ModelRecord


@dataclass(frozen=True, slots=True)
class Chosen:
    """A choice and what it means.

    Attributes:
        record: What the person chose.
        base: What is loaded: the same, or the adapter's base.
        adapter: What is loaded beside it and used; None for a model.
    """

    record: ModelRecord
    base: ModelRecord
    adapter: AdapterOptions | None = None


#: Says what a choice means; raises a `WorkbenchError` where an adapter's base is not there.
Resolve = Callable[[ModelRecord], Chosen]


def resolver(library: Library) -> Resolve:
    """Looks bases up in a library."""

    def resolve(record: ModelRecord) -> Chosen:
        if record.format != "adapter":
            return Chosen(record, record)
        facts = library.facts(record.id).adapter
        if facts is None:
            raise WorkbenchError(f"{record.name} is no adapter any more.", remedy="Add it again.")
        base = base_to_load(record, facts.container, library.list())
        if base is None:
            raise no_base(record, facts)
        return Chosen(record, base, AdapterOptions(name=record.name, path=str(record.path)))

    return resolve


def models_first(records: Sequence[ModelRecord]) -> Sequence[ModelRecord]:
    """What is chosen before the person chooses: models, and adapters only where there is nothing else."""
    return [record for record in records if record.format != "adapter"] or records
