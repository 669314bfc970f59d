"""The catalogue: what every plugin offers, without one of them being imported here."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from workbench import __version__
from workbench.catalogue_entry import (
    DrafterEntry,
    MetricEntry,
    OperationEntry,
    PluginFailure,
    PluginRecord,
    ReaderEntry,
    TrainingEntry,
)
from workbench.catalogue_probe import LookedAt, Probe
from workbench.errors import NotFoundError, WorkbenchError
from workbench.home import Home
from workbench.params import Choice, FieldSpec
from workbench.plugin import API_VERSION
from workbench.plugin_home.choices import read_choices
from workbench.plugin_home.finding import FoundPlugin, find_plugins, watch_state

#: A path that may have this ending takes rows of examples.
_EXAMPLES = ".jsonl"
#: How many are imported at the same time.
_PARALLEL = 2

_E = TypeVar("_E", ReaderEntry, MetricEntry, TrainingEntry)


class _Cache(BaseModel):
    version: str = f"{__version__}/{API_VERSION}/{sys.version_info.major}.{sys.version_info.minor}"
    plugins: dict[str, LookedAt] = {}


@dataclass(frozen=True)
class CatalogueContents:
    """All operations that are offered, gathered by group, what failed, and every plugin with what it is."""

    operations: tuple[OperationEntry, ...]
    failures: tuple[PluginFailure, ...]
    plugins: tuple[PluginRecord, ...] = ()


class Catalogue:
    """Knows the plugins of this installation and of a home.

    Each is imported in a short-lived process of its own, once for every content of its file. One that
    raises, hangs, or ends its process is listed as a failure and harms nothing else. One that the person
    switched off is not imported at all.
    """

    def __init__(self, home: Home) -> None:
        self._home = home
        self._file = home.cache / "catalogue.json"
        self._cache = self._read_cache()
        self._found: list[FoundPlugin] = []
        self._disabled: frozenset[str] = frozenset()
        self._watched: tuple[tuple[str, int, int], ...] = ()
        self._waiting: list[FoundPlugin] = []
        self._probes: list[Probe] = []

    def load(self) -> CatalogueContents:
        """The whole catalogue; waits for plugins that have not been looked at yet (seconds at most)."""
        self.start_refresh()
        while (contents := self.poll_refresh()) is None:
            self._probes[0].wait(0.05)
        return contents

    def operation(self, name: str) -> OperationEntry:
        """One operation.

        Raises:
            NotFoundError: No plugin offers it.
        """
        contents = self.load()
        for entry in contents.operations:
            if entry.name == name:
                return entry
        off = [each for each in contents.plugins if not each.enabled]
        for plugin in off:
            if any(entry.name == name for entry in plugin.operations):
                raise NotFoundError(
                    f"“{name}” is offered by the plugin {plugin.title}, which is switched off.",
                    remedy=f"Switch it on: tenfold plugin enable {plugin.title}",
                )
        known = ", ".join(entry.name for entry in contents.operations)
        failed = f" Some plugins failed: {', '.join(each.plugin for each in contents.failures)}."
        raise NotFoundError(
            f"There is no operation “{name}”.{failed if contents.failures else ''}",
            remedy=f"There are: {known or 'none'}.",
        )

    def drafter(self, name: str) -> DrafterEntry:
        """The drafter with this name, of a plugin that is switched on.

        Raises:
            NotFoundError: No plugin offers one.
        """
        offered = [each for plugin in self.load().plugins if plugin.enabled for each in plugin.drafters]
        for entry in offered:
            if entry.name == name:
                return entry
        known = ", ".join(entry.name for entry in offered) or "none"
        raise NotFoundError(
            f"No plugin offers the drafter “{name}”.", remedy=f"Plugins offer these drafters: {known}."
        )

    def readers(self) -> tuple[ReaderEntry, ...]:
        """What plugins that are switched on read, beside the kinds of files that Tenfold reads itself."""
        return _readers(self.load().plugins)

    def start_refresh(self) -> None:
        """Begin to look at plugins that are new or have changed; `poll_refresh` tells when that is done."""
        self.close()
        self._watched = watch_state(self._home)
        self._found = find_plugins(self._home)
        self._disabled = read_choices(self._home).disabled
        self._waiting = [plugin for plugin in self._found if self._must_be_looked_at(plugin)]

    def has_changed(self) -> bool:
        """Whether a plugin of the home was added, edited, switched or removed since the last refresh.

        Looks at files' times and sizes only, so that a window may ask every second.
        """
        return watch_state(self._home) != self._watched

    def forget_failures(self) -> None:
        """Let the next refresh try anew what failed: the reason may lie in something installed since."""
        kept = {name: entry for name, entry in self._cache.plugins.items() if _worth_keeping(entry)}
        self._cache = _Cache(plugins=kept)

    def poll_refresh(self) -> CatalogueContents | None:
        """The catalogue once every plugin has been looked at; None while some have not. Never waits.

        Raises:
            WorkbenchError: No process can be started that looks at one, as where the disk is full.
        """
        changed = False
        for probe in list(self._probes):
            entry = probe.poll()
            if entry is not None:
                self._probes.remove(probe)
                self._cache.plugins[probe.plugin.name] = entry
                changed = True
        while self._waiting and len(self._probes) < _PARALLEL:
            self._probes.append(self._begun(self._waiting[0]))
            del self._waiting[0]
        if changed and not self._probes:
            self._write_cache()
        return None if self._probes else self._contents()

    def _begun(self, plugin: FoundPlugin) -> Probe:
        try:
            return Probe(plugin, self._home)
        except OSError as error:
            raise WorkbenchError(
                f"The plugin {plugin.title} can't be looked at: {error.strerror or error}.",
                remedy="Make room on the disk or end other programs, then try again.",
            ) from error

    def so_far(self) -> CatalogueContents:
        """What is known while a refresh is under way; plugins still to be looked at are `pending`."""
        return self._contents()

    def close(self) -> None:
        """End what is still being looked at."""
        for probe in self._probes:
            probe.stop()
        self._probes.clear()
        self._waiting.clear()

    def _must_be_looked_at(self, plugin: FoundPlugin) -> bool:
        known = self._cache.plugins.get(plugin.name)
        off = plugin.name in self._disabled or bool(plugin.problem)
        return not off and (known is None or known.digest != plugin.digest)

    def _contents(self) -> CatalogueContents:
        operations: dict[str, OperationEntry] = {}
        failures, plugins = [], []
        for plugin in self._found:
            record = self._record(plugin)
            if record.enabled:
                record = _without_clashes(record, operations)
                operations |= {each.name: each for each in record.operations}
                if record.failure is not None:
                    failures.append(record.failure)
            plugins.append(record)
        operations = _with_readers(operations, _readers(plugins))
        operations = _with_offered(operations, plugins)
        # What people come for stands first; conversions serve it.
        ordered = sorted(
            operations.values(), key=lambda each: (each.group != "Quantize", each.group, each.title)
        )
        return CatalogueContents(tuple(ordered), tuple(failures), tuple(plugins))

    def _record(self, plugin: FoundPlugin) -> PluginRecord:
        known = self._cache.plugins.get(plugin.name, LookedAt(digest=""))
        failure = known.failure
        if plugin.problem:
            failure = PluginFailure(plugin=plugin.name, source=plugin.source, reason=plugin.problem)
        return PluginRecord(
            name=plugin.name,
            title=plugin.title,
            kind=plugin.kind,
            package=plugin.package,
            version=plugin.version,
            source=plugin.source,
            place=str(plugin.place or ""),
            enabled=plugin.name not in self._disabled,
            requires=plugin.requires,
            operations=() if plugin.problem else tuple(_with_requires(e, plugin) for e in known.operations),
            drafters=() if plugin.problem else known.drafters,
            readers=_requiring(known.readers, plugin),
            metrics=_requiring(known.metrics, plugin),
            trainings=_requiring(known.trainings, plugin),
            failure=failure,
            pending=self._must_be_looked_at(plugin),
        )

    def _read_cache(self) -> _Cache:
        try:
            cache = _Cache.model_validate_json(self._file.read_bytes())
        except (OSError, ValidationError):
            return _Cache()
        return cache if cache.version == _Cache().version else _Cache()

    def _write_cache(self) -> None:
        kept = {name: entry for name, entry in self._cache.plugins.items() if _worth_keeping(entry)}
        draft = self._file.with_suffix(".new")
        try:
            draft.write_text(_Cache(plugins=kept).model_dump_json(), encoding="utf-8")
            os.replace(draft, self._file)  # noqa: PTH105 - the one atomic step
        except OSError:
            # Without a cache the plugins are looked at again next time.
            return


def _worth_keeping(entry: LookedAt) -> bool:
    """A failure may lie in something that was installed since: it is tried again at the next start."""
    return entry.failure is None


def _with_requires(entry: OperationEntry, plugin: FoundPlugin) -> OperationEntry:
    """What a package requires and Tenfold lacks, each of its operations requires."""
    if not plugin.requires:
        return entry
    return entry.model_copy(update={"requires": tuple(dict.fromkeys((*entry.requires, *plugin.requires)))})


def _requiring(entries: tuple[_E, ...], plugin: FoundPlugin) -> tuple[_E, ...]:
    """The same for what it offers beside operations."""
    if plugin.problem or not plugin.requires:
        return () if plugin.problem else entries
    return tuple(each.model_copy(update={"requires": plugin.requires}) for each in entries)


def _readers(plugins: Iterable[PluginRecord]) -> tuple[ReaderEntry, ...]:
    return tuple(entry for plugin in plugins if plugin.enabled for entry in plugin.readers)


def _with_readers(
    operations: dict[str, OperationEntry], readers: tuple[ReaderEntry, ...]
) -> dict[str, OperationEntry]:
    """Have paths that take files of examples take those too that plugins read."""
    if not readers:
        return operations
    return {
        name: entry.model_copy(
            update={"readers": readers, "fields": tuple(_with_endings(e, readers) for e in entry.fields)}
        )
        for name, entry in operations.items()
    }


def _with_endings(field: FieldSpec, readers: tuple[ReaderEntry, ...]) -> FieldSpec:
    if _EXAMPLES not in field.suffixes:
        return field
    more = (suffix for reader in readers for suffix in reader.suffixes)
    return field.model_copy(update={"suffixes": tuple(dict.fromkeys((*field.suffixes, *more)))})


def _with_offered(
    operations: dict[str, OperationEntry], plugins: Iterable[PluginRecord]
) -> dict[str, OperationEntry]:
    """Have parameters that name metrics or training methods offer those of all plugins."""
    enabled = [plugin for plugin in plugins if plugin.enabled]
    metrics = tuple(entry for plugin in enabled for entry in plugin.metrics)
    trainings = tuple(entry for plugin in enabled for entry in plugin.trainings)
    choices = {"metric": _choices(metrics), "training-method": _choices(trainings)}
    return {name: _offering(entry, choices, metrics, trainings) for name, entry in operations.items()}


def _offering(
    entry: OperationEntry,
    choices: Mapping[str, tuple[Choice, ...]],
    metrics: tuple[MetricEntry, ...],
    trainings: tuple[TrainingEntry, ...],
) -> OperationEntry:
    kinds = {field.offered for field in entry.fields if choices.get(field.offered)}
    if not kinds:
        return entry
    fields = tuple(
        field.model_copy(update={"choices": choices[field.offered]}) if field.offered in kinds else field
        for field in entry.fields
    )
    return entry.model_copy(
        update={
            "fields": fields,
            "metrics": metrics if "metric" in kinds else (),
            "trainings": trainings if "training-method" in kinds else (),
        }
    )


def _choices(offered: Iterable[MetricEntry | TrainingEntry]) -> tuple[Choice, ...]:
    return tuple(Choice(value=each.key, title=each.title, help=each.summary) for each in offered)


def _without_clashes(record: PluginRecord, taken: Mapping[str, OperationEntry]) -> PluginRecord:
    """The first to offer a name has it; the other plugin says whose it is."""
    clash = next((each for each in record.operations if each.name in taken), None)
    if clash is None:
        return record
    reason = f"It offers “{clash.name}”, which {taken[clash.name].source} offers already."
    return record.model_copy(
        update={
            "operations": tuple(each for each in record.operations if each.name not in taken),
            "failure": PluginFailure(plugin=record.name, source=record.source, reason=reason),
        }
    )
