"""What a script made elsewhere comes back with its events and result."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import delete

from tests.workbench.export.conftest import folder_from_elsewhere, zipped
from workbench.export import imported
from workbench.export.importing import import_result
from workbench.home import Home
from workbench.jobs.build import make_spec
from workbench.jobs.events import EventTail, Metric
from workbench.jobs.recover import recover_rows
from workbench.jobs.spec import JobSpec
from workbench.library.hashing import content_hash
from workbench.session import Session
from workbench.store.guarded import guarded
from workbench.store.tables import JobRow

_SPEC = JobSpec(operation="x", plugin="plugins.x", title="X", output_name="x")


@dataclass(frozen=True)
class Away:
    """A quantization that a script made elsewhere, of a home that is not the one of the test."""

    spec: JobSpec
    folder: Path
    model: Path


@pytest.fixture(scope="module")
def away(tiny_gguf: Path, catalogue_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Away]:
    place = tmp_path_factory.mktemp("away")
    home = Home(place / "home").create()
    shutil.copy(catalogue_cache, home.cache)
    with Session.open(home, supervise=False) as session:
        record = session.library.add(tiny_gguf, sha256=content_hash(tiny_gguf)).record
        entry = session.catalogue.operation("gguf-quantize")
        spec = make_spec(
            entry,
            record,
            session.library.facts(record.id),
            {"type": "Q8_0"},
            input=session.library.to_spec_input(record.id),
        )
        script = session.board.export(session.board.submit(spec).id, place / "job.py")
    folder = place / "made"
    words = [sys.executable, str(script), "--model", str(tiny_gguf), "--job-dir", str(folder)]
    subprocess.run(words, check=True, capture_output=True)
    yield Away(spec, folder, tiny_gguf)


@pytest.mark.real_model
def test_result_comes_back_as_a_job_with_its_curves_below_its_parent(
    away: Away, session: Session, tmp_path: Path
) -> None:
    record = session.library.add(away.model).record
    spec = away.spec.model_copy(update={"model": session.library.to_spec_input(record.id)})

    taken = import_result(session, zipped(away.folder, tmp_path / "away.zip"), spec)

    made = session.board.get(taken.job_id)
    assert made.state == "done"
    assert "made elsewhere" in made.title
    assert made.result_model_id is not None
    model = session.library.get(made.result_model_id)
    assert model.parent_id == record.id
    assert model.path.is_relative_to(made.folder)
    assert any(isinstance(each, Metric) for each in EventTail(made.folder / "events.jsonl").read())
    assert "done." in session.board.last_log_lines(made.id)[-1]


@pytest.mark.real_model
def test_folder_says_itself_which_job_it_holds_and_where_it_was_made(away: Away, session: Session) -> None:
    taken = import_result(session, away.folder)

    made, spec = session.board.get(taken.job_id), session.board.spec(taken.job_id)
    assert (spec.operation, spec.plugin, spec.params["type"]) == (
        "gguf-quantize",
        "plugins.gguf_quantize",
        "Q8_0",
    )
    assert "(Q8_0)" in made.title
    assert made.result_model_id is not None
    assert session.library.get(made.result_model_id).parent_id is None
    came = imported.of(made.folder)
    assert came is not None and came.machine is not None
    assert came.machine.name == platform.node()
    assert "core" in came.words
    for place in (away.folder.parent, away.model.parent):
        assert str(place) not in spec.model_dump_json()
        assert str(place) not in (made.folder / "job.py").read_text(encoding="utf-8")


@pytest.mark.real_model
def test_parent_is_found_by_its_hash_whatever_it_is_called_here(away: Away, session: Session) -> None:
    here = session.library.add(away.model, name="Called otherwise", sha256=content_hash(away.model)).record

    made = session.board.get(import_result(session, away.folder).job_id)

    assert made.model_id == here.id
    assert session.library.get(made.result_model_id or "").parent_id == here.id


def test_same_import_is_known_again_from_a_folder_and_a_zip(session: Session, tmp_path: Path) -> None:
    folder = folder_from_elsewhere(tmp_path / "away")
    first = import_result(session, folder, _SPEC)

    for again in (folder, zipped(folder, tmp_path / "away.zip")):
        taken = import_result(session, again, _SPEC)

        assert (taken.job_id, taken.known) == (first.job_id, True)
    assert [each.id for each in session.board.list()] == [first.job_id]


def test_what_was_removed_can_be_imported_again(session: Session, tmp_path: Path) -> None:
    folder = folder_from_elsewhere(tmp_path / "away")
    session.board.remove(import_result(session, folder, _SPEC).job_id)

    assert not import_result(session, folder, _SPEC).known


@pytest.mark.parametrize("named", ["a.txt", "a.txt.job", "both.zip"])
def test_result_that_stands_beside_its_folder_is_found(session: Session, tmp_path: Path, named: str) -> None:
    place = tmp_path / "there"
    folder_from_elsewhere(place / "a.txt.job", path="../a.txt")
    zipped(place, tmp_path / "there" / "both.zip")

    made = session.board.get(import_result(session, place / named, _SPEC).job_id)

    assert (made.folder / "out" / "a.txt").read_bytes() == b"hello"


def test_checkpoints_and_scripts_stay_where_they_are(session: Session, tmp_path: Path) -> None:
    folder = folder_from_elsewhere(tmp_path / "away")
    for name in ("checkpoints/1.safetensors", "job.py", "sitecustomize.py"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("raise SystemExit('run')")

    made = session.board.get(import_result(session, folder, _SPEC).job_id).folder

    assert not list((made / "checkpoints").iterdir())
    assert not (made / "sitecustomize.py").exists()
    assert "SystemExit('run')" not in (made / "job.py").read_text(encoding="utf-8")


def test_imported_job_is_found_again_when_the_database_is_lost(session: Session, tmp_path: Path) -> None:
    taken = import_result(session, folder_from_elsewhere(tmp_path / "away"), _SPEC)
    with guarded(session.store) as rows:
        rows.execute(delete(JobRow))

    assert recover_rows(session.store, session.home, session.library) == [taken.job_id]


def test_progress_is_told_up_to_the_whole(session: Session, tmp_path: Path) -> None:
    told: list[tuple[float, float, str]] = []

    import_result(
        session,
        folder_from_elsewhere(tmp_path / "away", content=b"x" * (3 << 20)),
        _SPEC,
        tell=lambda done, total, what: told.append((done, total, what)),
    )

    for what in ("Copying", "Checking"):
        done, total, _ = [each for each in told if each[2] == what][-1]
        assert done == total > 0
