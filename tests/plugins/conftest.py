"""Runs a shipped plugin: as its users do, by a script of a job in its own worker, or in this process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.plugins.here import job_in, model_at
from workbench.jobs.events import Artifact, Error, EventTail, Progress
from workbench.jobs.loading import load_operation
from workbench.jobs.script import render
from workbench.jobs.spec import JobSpec, ModelInput


class Ran:
    """What came of one job."""

    def __init__(self, folder: Path, code: int, made: Path | None = None) -> None:
        self.folder = folder
        self.code = code
        self._made = made
        self.events = EventTail(folder / "events.jsonl").read(1 << 26)

    @property
    def result(self) -> Path:
        if self._made is not None:
            return self._made
        artifact = next(event for event in self.events if isinstance(event, Artifact))
        return self.folder / artifact.path

    @property
    def error(self) -> Error:
        return next(event for event in self.events if isinstance(event, Error))

    @property
    def progress(self) -> list[Progress]:
        return [event for event in self.events if isinstance(event, Progress)]


@pytest.fixture
def run_plugin(tmp_path: Path) -> Callable[..., Ran]:
    """Run an operation on a model to its end."""

    def run(operation: str, model: Path, **params: object) -> Ran:
        folder = tmp_path / f"job-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        spec = JobSpec(
            operation=operation,
            plugin="plugins." + operation.replace("-", "_"),
            title=operation,
            model=ModelInput(name=model.stem),
            params=params,
            output_name="made",
        )
        (folder / "job.py").write_text(render(spec), encoding="utf-8")
        words = ["--job-dir", str(folder), "--model", str(model)]
        for name, value in params.items():
            named = value if isinstance(value, list) else [value]
            if named and all(isinstance(each, Path | str) and Path(each).is_absolute() for each in named):
                words += ["--set", f"{name}={','.join(map(str, named))}"]
        with (folder / "log.txt").open("wb") as log:
            code = subprocess.call(
                [sys.executable, folder / "job.py", *words], cwd=folder, stdout=log, stderr=subprocess.STDOUT
            )
        return Ran(folder, code)

    return run


@pytest.fixture
def run_here(tmp_path: Path) -> Callable[..., Ran]:
    """Run an operation in this process, which saves the imports of a worker; its errors come through."""

    def run(operation: str, model: Path, **params: object) -> Ran:
        folder = tmp_path / f"here-{len(list(tmp_path.iterdir()))}"
        offered = load_operation("plugins." + operation.replace("-", "_"), operation)
        made = offered.run(job_in(folder), model_at(model), offered.params.model_validate(params))
        return Ran(folder, 0, made)

    return run
