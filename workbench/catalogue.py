"""The catalogue: what every plugin offers, without one of them being imported here."""

from __future__ import annotations

import hashlib
import importlib.machinery
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from pydantic import BaseModel, ValidationError

from workbench import __version__
from workbench.catalogue_entry import OperationEntry, PluginFailure
from workbench.errors import NotFoundError
from workbench.home import Home
from workbench.jobs.loading import FILE_PREFIX
from workbench.jobs.processes import no_console
from workbench.plugin import API_VERSION

_GROUP = "tenfold.plugins"
#: How long a plugin may take to import: ours take half a second on a slow machine.
LIMIT_S = 10.0
#: How many are imported at the same time.
_PARALLEL = 2


class _Entry(BaseModel):
    """What the cache keeps of one plugin."""

    digest: str
    operations: tuple[OperationEntry, ...] = ()
    failure: PluginFailure | None = None


class _Cache(BaseModel):
    version: str = f"{__version__}/{API_VERSION}/{sys.version_info.major}.{sys.version_info.minor}"
    plugins: dict[str, _Entry] = {}


@dataclass(frozen=True)
class CatalogueContents:
    """All operations, gathered by group, and the plugins that offer none."""

    operations: tuple[OperationEntry, ...]
    failures: tuple[PluginFailure, ...]


@dataclass(frozen=True)
class _Plugin:
    """One plugin: `name` as a job's spec names it, `source` as a person is shown it."""

    name: str
    source: str
    digest: str


class Catalogue:
    """Knows the plugins of this installation and of a home.

    Each is imported in a short-lived process of its own, once for every content of its file. One that
    raises, hangs, or ends its process is listed as a failure and harms nothing else.
    """

    def __init__(self, home: Home) -> None:
        self._home = home
        self._file = home.cache / "catalogue.json"
        self._cache = self._read_cache()
        self._found: list[_Plugin] = []
        self._waiting: list[_Plugin] = []
        self._probes: list[_Probe] = []

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
        known = ", ".join(entry.name for entry in contents.operations)
        failed = f" Some plugins failed: {', '.join(each.plugin for each in contents.failures)}."
        raise NotFoundError(
            f"There is no operation “{name}”.{failed if contents.failures else ''}",
            remedy=f"There are: {known or 'none'}.",
        )

    def start_refresh(self) -> None:
        """Begin to look at plugins that are new or have changed; `poll_refresh` tells when that is done."""
        self.close()
        self._found = [*_installed(), *_files(self._home.plugins)]
        self._waiting = [
            plugin
            for plugin in self._found
            if plugin.name not in self._cache.plugins
            or self._cache.plugins[plugin.name].digest != plugin.digest
        ]

    def poll_refresh(self) -> CatalogueContents | None:
        """The catalogue once every plugin has been looked at; None while some have not. Never waits."""
        changed = False
        for probe in list(self._probes):
            entry = probe.poll()
            if entry is not None:
                self._probes.remove(probe)
                self._cache.plugins[probe.plugin.name] = entry
                changed = True
        while self._waiting and len(self._probes) < _PARALLEL:
            self._probes.append(_Probe(self._waiting.pop(0), self._home))
        if changed and not self._probes:
            self._write_cache()
        return None if self._probes else self._contents()

    def close(self) -> None:
        """End what is still being looked at."""
        for probe in self._probes:
            probe.stop()
        self._probes.clear()
        self._waiting.clear()

    def _contents(self) -> CatalogueContents:
        operations: dict[str, OperationEntry] = {}
        failures = []
        for plugin in self._found:
            entry = self._cache.plugins[plugin.name]
            if entry.failure is not None:
                failures.append(entry.failure)
            for each in entry.operations:
                if each.name in operations:
                    other = operations[each.name].source
                    reason = f"It offers “{each.name}”, which {other} offers already."
                    failures.append(PluginFailure(plugin=plugin.name, source=plugin.source, reason=reason))
                else:
                    operations[each.name] = each
        # What people come for stands first; conversions serve it.
        ordered = sorted(
            operations.values(), key=lambda each: (each.group != "Quantize", each.group, each.title)
        )
        return CatalogueContents(tuple(ordered), tuple(failures))

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


class _Probe:
    """One plugin that is being imported in a process of its own."""

    def __init__(self, plugin: _Plugin, home: Home) -> None:
        self.plugin = plugin
        self._until = time.monotonic() + LIMIT_S
        self._folder = tempfile.TemporaryDirectory(prefix="tenfold-catalogue-", ignore_cleanup_errors=True)
        self._out = Path(self._folder.name) / "answer.json"
        with (Path(self._folder.name) / "said.txt").open("wb") as said:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-P",
                    "-m",
                    "workbench.catalogue_process",
                    plugin.name,
                    str(home.plugins),
                    str(self._out),
                ],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                env={**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONIOENCODING": "utf-8"},
                creationflags=no_console(),
            )

    def poll(self) -> _Entry | None:
        """What came of it; None while it is at work."""
        if self._process.poll() is None:
            if time.monotonic() < self._until:
                return None
            return self._failed(f"It did not finish its import within {LIMIT_S:.0f} seconds.")
        try:
            answer = json.loads(self._out.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return self._failed(f"It ended the process on import (exit code {self._process.returncode}).")
        if "error" in answer:
            return self._failed(str(answer["error"]), str(answer["traceback"]))
        plugin = self.plugin
        where = {"plugin": plugin.name, "source": plugin.source, "digest": plugin.digest}
        try:
            operations = tuple(
                OperationEntry.model_validate({**each, **where}) for each in answer["operations"]
            )
        except ValidationError as error:
            return self._failed("What it declares can't be read.", str(error))
        self.stop()
        return _Entry(digest=plugin.digest, operations=operations)

    def wait(self, seconds: float) -> None:
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._folder.cleanup()

    def _failed(self, reason: str, trace: str = "") -> _Entry:
        self._process.kill()
        self._process.wait()
        said = (Path(self._folder.name) / "said.txt").read_text(encoding="utf-8", errors="replace")
        self.stop()
        failure = PluginFailure(
            plugin=self.plugin.name,
            source=self.plugin.source,
            reason=reason,
            traceback=trace or said[-4000:],
        )
        return _Entry(digest=self.plugin.digest, failure=failure)


def _worth_keeping(entry: _Entry) -> bool:
    """A failure may lie in something that was installed since: it is tried again at the next start."""
    return entry.failure is None


def _installed() -> Iterator[_Plugin]:
    for point in sorted(entry_points(group=_GROUP), key=lambda each: each.name):
        source = f"{point.dist.name} {point.dist.version}" if point.dist else point.value
        yield _Plugin(point.value, source, _digest_of_module(point))


def _files(folder: Path) -> Iterator[_Plugin]:
    for path in sorted(folder.glob("*.py")):
        if not path.name.startswith(("_", ".")):
            yield _Plugin(FILE_PREFIX + path.name, str(path), _digest(path))


def _digest_of_module(point: EntryPoint) -> str:
    """A hash of the module's file, which is found without importing its package."""
    top, *rest = point.module.split(".")
    spec = next((found for finder in sys.meta_path if (found := _find(finder, top)) is not None), None)
    if spec is None:
        return "missing"
    places = [Path(each) for each in spec.submodule_search_locations or ()]
    candidates = [Path(spec.origin)] if spec.origin and not rest else []
    candidates += [place.joinpath(*rest).with_suffix(".py") for place in places if rest]
    candidates += [place.joinpath(*rest, "__init__.py") for place in places]
    return next((_digest(each) for each in candidates if each.is_file()), "missing")


def _find(finder: object, name: str) -> importlib.machinery.ModuleSpec | None:
    find = getattr(finder, "find_spec", None)
    found: importlib.machinery.ModuleSpec | None = find(name, None) if find is not None else None
    return found


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:32]
    except OSError:
        return "unreadable"
