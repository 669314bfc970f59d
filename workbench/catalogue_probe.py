"""Looks at one plugin in a process of its own, which may take as long as it is given and no longer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pydantic import BaseModel, ValidationError

from workbench.catalogue_entry import (
    DrafterEntry,
    MetricEntry,
    OperationEntry,
    PluginFailure,
    ReaderEntry,
    TrainingEntry,
)
from workbench.environments.environment import find
from workbench.home import Home
from workbench.jobs.processes import no_console
from workbench.plugin_home.finding import FoundPlugin, with_site

#: How long a plugin may take to import: ours take half a second on a slow machine.
LIMIT_S = 10.0
#: What it may print while it is imported, and how much of that is shown.
_MOST_SAID_BYTES = 16 << 20
_SHOWN_BYTES = 4000


class LookedAt(BaseModel):
    """What came of looking at one plugin: what it offers, or why it offers nothing."""

    digest: str
    operations: tuple[OperationEntry, ...] = ()
    drafters: tuple[DrafterEntry, ...] = ()
    readers: tuple[ReaderEntry, ...] = ()
    metrics: tuple[MetricEntry, ...] = ()
    trainings: tuple[TrainingEntry, ...] = ()
    failure: PluginFailure | None = None


class Probe:
    """One plugin that is being imported in a process of its own."""

    def __init__(self, plugin: FoundPlugin, home: Home) -> None:
        self.plugin = plugin
        self._until = time.monotonic() + LIMIT_S
        self._folder = tempfile.TemporaryDirectory(prefix="tenfold-catalogue-", ignore_cleanup_errors=True)
        self._out = Path(self._folder.name) / "answer.json"
        self._said = Path(self._folder.name) / "said.txt"
        with self._said.open("wb") as said:
            self._process = subprocess.Popen(
                [
                    str(_interpreter(plugin, home)),
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
                env=_variables(plugin),
                creationflags=no_console(),
            )

    def poll(self) -> LookedAt | None:
        """What came of it; None while it is at work."""
        if self._process.poll() is None:
            if self._said.stat().st_size > _MOST_SAID_BYTES:
                return self._failed("It printed without end while it was imported.")
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
            drafters = tuple(DrafterEntry.model_validate({**each, **where}) for each in answer["drafters"])
            readers = tuple(ReaderEntry.model_validate({**each, **where}) for each in answer["readers"])
            metrics = tuple(MetricEntry.model_validate({**each, **where}) for each in answer["metrics"])
            trainings = tuple(TrainingEntry.model_validate({**each, **where}) for each in answer["trainings"])
        except ValidationError as error:
            return self._failed("What it declares can't be read.", str(error))
        self.stop()
        return LookedAt(
            digest=plugin.digest,
            operations=operations,
            drafters=drafters,
            readers=readers,
            metrics=metrics,
            trainings=trainings,
        )

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

    def _failed(self, reason: str, trace: str = "") -> LookedAt:
        self._process.kill()
        self._process.wait()
        said = _end_of(self._said)
        self.stop()
        failure = PluginFailure(
            plugin=self.plugin.name,
            source=self.plugin.source,
            reason=reason,
            traceback=trace or said,
        )
        return LookedAt(digest=self.plugin.digest, failure=failure)


def _end_of(said: Path) -> str:
    with said.open("rb") as file:
        file.seek(-min(_SHOWN_BYTES, said.stat().st_size), os.SEEK_END)
        return file.read(_SHOWN_BYTES).decode("utf-8", "replace")


def _interpreter(plugin: FoundPlugin, home: Home) -> Path:
    """The environment's own where the plugin's package has one, since it may import what it requires."""
    environment = find(home, plugin.requires) if plugin.requires else None
    return environment.python if environment is not None else Path(sys.executable)


def _variables(plugin: FoundPlugin) -> dict[str, str]:
    variables = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONIOENCODING": "utf-8"}
    if plugin.site is not None:
        # Only in this process: no plugin's modules can take the place of another's.
        variables["PYTHONPATH"] = with_site(plugin.site, variables.get("PYTHONPATH", ""))
    return variables
