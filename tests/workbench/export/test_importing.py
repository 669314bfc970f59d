"""What a script made elsewhere comes back with its events and result."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from workbench.catalogue import Catalogue
from workbench.export.importing import import_result
from workbench.home import Home
from workbench.jobs.board import JobBoard
from workbench.jobs.build import make_spec
from workbench.jobs.events import EventTail, Metric
from workbench.jobs.spec import JobSpec
from workbench.library.library import Library
from workbench.store.database import Store


@pytest.fixture
def library(store: Store, home: Home) -> Library:
    return Library(store, home)


@pytest.fixture
def spec(home: Home, library: Library, tiny_gguf: Path) -> JobSpec:
    record = library.add(tiny_gguf).record
    entry = Catalogue(home).operation("gguf-quantize")
    facts = library.facts(record.id)
    return make_spec(entry, record, facts, {"type": "Q8_0"}, input=library.to_spec_input(record.id))


@pytest.fixture
def away(home: Home, store: Store, spec: JobSpec, tiny_gguf: Path, tmp_path: Path) -> Path:
    """The folder of the same job, run by its script outside of the home."""
    board = JobBoard(store, home)
    script = board.export(board.submit(spec).id, tmp_path / "job.py")
    folder = tmp_path / "away"
    subprocess.run(
        [sys.executable, script, "--model", tiny_gguf, "--job-dir", folder], check=True, capture_output=True
    )
    return folder


def _zip(folder: Path, target: Path) -> Path:
    with zipfile.ZipFile(target, "w") as archive:
        for path in sorted(each for each in folder.rglob("*") if each.is_file()):
            archive.write(path, f"result/{path.relative_to(folder).as_posix()}")
    return target


@pytest.mark.real_model
def test_result_comes_back_as_a_job_with_its_curves_below_its_parent(
    home: Home, store: Store, library: Library, spec: JobSpec, away: Path, tmp_path: Path
) -> None:
    for source in (away, _zip(away, tmp_path / "away.zip")):
        made = JobBoard(store, home).get(import_result(home, store, library, spec, source))

        assert made.state == "done"
        assert "made elsewhere" in made.title
        assert made.result_model_id is not None
        model = library.get(made.result_model_id)
        assert spec.model is not None
        assert model.parent_id == spec.model.id
        assert model.path.is_relative_to(made.folder)
        assert any(isinstance(each, Metric) for each in EventTail(made.folder / "events.jsonl").read())
