"""The conformance check that any plugin can run: what the host relies on, looked at in real jobs."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.catalogue_entry import OperationEntry
from workbench.errors import NotFoundError, PluginError, WorkbenchError
from workbench.jobs.build import make_spec
from workbench.jobs.events import Event, Progress, State
from workbench.jobs.publish import names_in
from workbench.jobs.spec import JobSpec, ModelInput
from workbench.library.inspect import inspect
from workbench.model import ModelFormat
from workbench.params import validate
from workbench.plugin.testing import round_trip, well_formed
from workbench.plugin.testing.results import Check, Conformance, Verdict
from workbench.plugin.testing.subject import offered
from workbench.plugin.testing.tiny_models import tiny_model
from workbench.plugin.testing.trial import Surroundings, Trial, Worker, run

#: How soon after it could know of a cancel a job must be over.
CANCEL_WITHIN_S = 2.0


@dataclass(frozen=True)
class _NamedModel:
    id: str
    name: str
    quantization: str


def check_operation(
    plugin: str | Path,
    operation: str,
    *,
    folder: Path,
    model: Path | None = None,
    values: Mapping[str, Any] | None = None,
    seed: int = 7,
    cancel_within_s: float = CANCEL_WITHIN_S,
    limit_s: float = 300.0,
) -> Conformance:
    """Check one operation of a plugin by running its real jobs, three of them, in workers.

    - `declared`: the catalogue takes it.
    - `parameters`: they are the same in the form, as flags, and in `job.py`.
    - `runs`: a job of it makes what it promises.
    - `events`: what it reports can be drawn.
    - `files`: it writes nowhere but into its job's folder and `job.cache`.
    - `reproducible`: the same seed gives the same bytes.
    - `cancel`: a job that is cancelled is over soon, and leaves nothing.

    Args:
        plugin: A module, the name of an entry point, a file `NAME.py`, or the folder of a package.
        folder: A new or empty folder, such as pytest's `tmp_path`; everything happens in it.
        model: What it is applied to; a tiny model of its input's format where None.
        values: Parameters by name, typed or as text; all that must be given.
        cancel_within_s: How long a job may take to end, from when it was asked and had reported anything.
        limit_s: How long one job may take at all.

    Raises:
        NotFoundError: The plugin offers no such operation.
        ParameterError: A value is wrong, or one that must be given is not.
    """
    around = Surroundings(folder).create()
    try:
        entries = {entry.name: entry for entry in offered(plugin, around.home)}
    except PluginError as error:
        return Conformance(str(plugin), operation, (Check("declared", "failed", error.message),))
    if operation not in entries:
        raise NotFoundError(
            f"{plugin} offers no operation “{operation}”.",
            remedy=f"It offers: {', '.join(entries) or 'none'}.",
        )
    return _Examination(entries[operation], around, model, values or {}, seed, cancel_within_s, limit_s).run()


class _Examination:
    """The check of one operation."""

    def __init__(
        self,
        entry: OperationEntry,
        around: Surroundings,
        model: Path | None,
        values: Mapping[str, Any],
        seed: int,
        cancel_within_s: float,
        limit_s: float,
    ) -> None:
        self._entry = entry
        self._around = around
        self._given_model = model
        self._values = values
        self._seed = seed
        self._cancel_within_s = cancel_within_s
        self._limit_s = limit_s
        self._checks: list[Check] = []

    def run(self) -> Conformance:
        self._add("declared", [], f"{self._entry.title}: {self._entry.summary}")
        sets = round_trip.tried(self._entry, validate(self._entry.fields, self._values))
        self._add(
            "parameters",
            round_trip.faults(self._entry, self._values),
            f"{len(self._entry.fields)} parameters, {sets} sets of values",
        )
        why_not = self._run_jobs()
        if why_not:
            done = {check.name for check in self._checks}
            for name in ("runs", "events", "files", "reproducible", "cancel"):
                if name not in done:
                    self._checks.append(Check(name, "not applicable", why_not))
        return Conformance(self._entry.plugin, self._entry.name, tuple(self._checks))

    def _run_jobs(self) -> str:
        """Look at what real jobs do; says why it can't, where it can't."""
        if self._entry.needs == "network":
            return "It works through the network, which a check does not use."
        model = self._model()
        before = _state_of(model)
        try:
            spec = self._spec(model)
        except WorkbenchError as error:
            return str(error)
        first = self._trial(spec, "runs", watched=True)
        if first is None:
            return "The job did not end."
        if first.problem is not None and first.problem.error == "missing-extra":
            return first.trouble
        self._add("runs", self._faults_of_result(first), _made(first))
        self._add("events", well_formed.faults(first), well_formed.counted(first))
        self._add("files", self._strays(first, model, before), "only in the job's folder and in job.cache")
        if first.state != "done":
            return "The job does not run."
        self._check_reproducible(spec, first)
        self._check_cancel(spec, _startup_s(first))
        return ""

    def _model(self) -> Path | None:
        if self._entry.input is None or self._given_model is not None:
            return self._given_model
        format: ModelFormat = "gguf" if self._entry.input == "any" else self._entry.input
        return tiny_model(format, self._around.root / "model")

    def _spec(self, model: Path | None) -> JobSpec:
        if model is None:
            return make_spec(self._entry, None, None, self._values, seed=self._seed)
        facts = inspect(model)
        name = facts.name or model.stem
        source = ModelInput(name=name, path=model, format=facts.format)
        named = _NamedModel("", name, facts.quantization)
        return make_spec(self._entry, named, facts, self._values, seed=self._seed, input=source)

    def _trial(self, spec: JobSpec, name: str, *, watched: bool = False) -> Trial | None:
        try:
            return run(spec, self._around, limit_s=self._limit_s, watched=watched)
        except PluginError as error:
            self._checks.append(Check(name, "failed", error.message))
            return None

    def _faults_of_result(self, trial: Trial) -> list[str]:
        artifact = trial.artifact
        if trial.state != "done" or artifact is None:
            return [trial.trouble]
        wanted = self._entry.output
        if wanted not in (None, "any", artifact.format):
            return [
                f"It promises a model of the format {wanted}, and makes one of the format {artifact.format}."
            ]
        return []

    def _strays(self, trial: Trial, model: Path | None, before: dict[str, tuple[int, int]]) -> list[str]:
        allowed = (trial.folder, self._around.home.cache, self._around.passing, Path("/dev"), Path("/proc"))
        outside = [each for each in trial.touched if not any(each.is_relative_to(place) for place in allowed)]
        if not self._entry.requires:
            # Whoever makes environments leaves locks where programs pass files: not the operation.
            outside += [each for each in self._around.strays() if each not in outside]
        found = [f"It wrote to {_listed(outside)}."] if outside else []
        if _state_of(model) != before:
            found.append("It changed the model that it was given.")
        return found

    def _check_reproducible(self, spec: JobSpec, first: Trial) -> None:
        if not self._entry.reproducible:
            reason = "it says itself that its results hold what is measured"
            self._checks.append(Check("reproducible", "not applicable", reason))
            return
        second = self._trial(spec, "reproducible")
        if second is None:
            return
        differing = _differing(first, second)
        fault = f"Two runs with the seed {spec.seed} differ in {', '.join(differing[:3])}."
        same = first.artifact.sha256[:12] if first.artifact else ""
        self._add("reproducible", [fault] if differing else [], f"twice {same}…")

    def _check_cancel(self, spec: JobSpec, startup_s: float) -> None:
        """Asked once it reports anything; where that was too late to matter, asked at the start.

        One that seems too slow is asked once more, and the better counts: another program may have had the
        processor.
        """
        try:
            trial = self._cancelled(spec, startup_s, early=False)
            if trial.state == "done":
                trial = self._cancelled(spec, startup_s, early=True)
            if (trial.stopped_in_s or 0.0) > self._cancel_within_s:
                again = self._cancelled(spec, startup_s, early=trial.state == "done")
                trial = min(
                    trial, again, key=lambda each: (each.state != "cancelled", each.stopped_in_s or 0.0)
                )
        except PluginError:
            self._add("cancel", [f"It was not over {self._limit_s:.0f} s after it was asked."], "")
            return
        took = trial.stopped_in_s or 0.0
        faults = []
        if trial.state != "cancelled":
            faults.append(f"It was asked to cancel, and ended “{trial.state}”: {trial.trouble}")
        if took > self._cancel_within_s:
            faults.append(f"It took {took:.1f} s to end after it was asked, the better of two.")
        left = [each for each in (trial.folder / "out").rglob("*") if each.is_file()]
        if left:
            faults.append(f"It left {_listed(left)}.")
        others = f", beside {trial.starved_s:.1f} s that other programs had" if trial.starved_s >= 0.1 else ""
        self._add("cancel", faults, f"over after {took:.2f} s{others}")

    def _cancelled(self, spec: JobSpec, startup_s: float, *, early: bool) -> Trial:
        worker = Worker(spec, self._around)
        worker.until(_is_running if early else _has_progress, self._limit_s)
        since = time.monotonic()
        worker.ask_to_cancel()
        if early:
            # Backends take seconds to import, in which nobody can look at a request.
            since += startup_s
        return worker.finish(self._limit_s, since)

    def _add(self, name: str, faults: list[str], otherwise: str) -> None:
        verdict: Verdict = "failed" if faults else "passed"
        self._checks.append(Check(name, verdict, " ".join(faults) if faults else otherwise))


def _is_running(events: list[Event]) -> bool:
    return any(isinstance(event, State) and event.state == "running" for event in events)


def _has_progress(events: list[Event]) -> bool:
    return any(isinstance(event, Progress) for event in events)


def _differing(first: Trial, second: Trial) -> list[str]:
    """The names of what is not the same in two results."""
    one, other = first.artifact, second.artifact
    if one is None or other is None:
        return [f"that the second was {second.state}: {second.trouble}"]
    if one.sha256 == other.sha256:
        return []
    places = [trial.folder / made.path for trial, made in ((first, one), (second, other))]
    names = sorted({name for place in places for name in names_in(place)})
    found = [name for name in names if len({_content(place, name) for place in places}) > 1]
    return found or [Path(one.path).name]


def _content(place: Path, name: str) -> bytes | None:
    path = place if place.is_file() else place / name
    return path.read_bytes() if path.is_file() else None


def _startup_s(trial: Trial) -> float:
    """From when a job ran until it first reported progress, in seconds."""
    began = next((event.t for event in trial.events if _is_running([event])), 0.0)
    return next((event.t - began for event in trial.events if isinstance(event, Progress)), 0.0)


def _made(trial: Trial) -> str:
    artifact = trial.artifact
    if artifact is None:
        return ""
    return f"{Path(artifact.path).name}, {artifact.size_bytes:,} bytes"


def _listed(paths: list[Path]) -> str:
    named = ", ".join(str(each) for each in paths[:3])
    return f"{named} and {len(paths) - 3} more" if len(paths) > 3 else named


def _state_of(model: Path | None) -> dict[str, tuple[int, int]]:
    """Size and time of each of a model's files."""
    if model is None:
        return {}
    files = [model] if model.is_file() else sorted(each for each in model.rglob("*") if each.is_file())
    return {str(each): (each.stat().st_size, each.stat().st_mtime_ns) for each in files}
