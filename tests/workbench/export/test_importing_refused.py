"""A folder or zip that was altered, is not done, is hostile or too large is refused, and leaves nothing."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from tests.workbench.export.conftest import folder_from_elsewhere, zipped
from tests.workbench.measure.cards import card
from workbench.errors import DiskFullError, InUseError, UsageError, WorkbenchError
from workbench.export.importing import import_result
from workbench.jobs.spec import JobSpec
from workbench.measure.card import CardError, encode
from workbench.measure.proofs import Proofs
from workbench.session import Session

_SPEC = JobSpec(operation="x", plugin="plugins.x", title="X", output_name="x")


def _refused(
    session: Session,
    source: Path,
    why: str,
    *,
    spec: JobSpec | None = _SPEC,
    kind: type[WorkbenchError] = UsageError,
) -> None:
    with pytest.raises(kind, match=why):
        import_result(session, source, spec)
    assert list(session.home.jobs.iterdir()) == []
    assert session.board.list() == []


def test_altered_result_is_noticed(session: Session, tmp_path: Path) -> None:
    away = folder_from_elsewhere(tmp_path / "away")
    (away / "out" / "a.txt").write_bytes(b"hellp")

    _refused(session, away, "changed after it was made")


def test_job_that_is_not_done_is_refused(session: Session, tmp_path: Path) -> None:
    _refused(session, folder_from_elsewhere(tmp_path / "away", done=False), "not done")


@pytest.mark.parametrize(
    ("extra", "content", "why"),
    [
        ("r/../../../escaped", b"x", "outside of itself"),
        ("result/out/zeros", b"\0" * (8 << 20), "far more"),
        ("other/events.jsonl", b"{}", "one job"),
    ],
)
def test_hostile_zip_is_refused(
    session: Session, tmp_path: Path, extra: str, content: bytes, why: str
) -> None:
    target = zipped(folder_from_elsewhere(tmp_path / "packed"), tmp_path / "away.zip")
    with zipfile.ZipFile(target, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(extra, content)

    _refused(session, target, why)
    assert not (tmp_path / "escaped").exists()


def test_what_is_no_zip_is_refused(session: Session, tmp_path: Path) -> None:
    (tmp_path / "none.zip").write_bytes(b"no zip at all")
    (tmp_path / "empty").mkdir()

    _refused(session, tmp_path / "none.zip", "can't be read")
    _refused(session, tmp_path / "nowhere.zip", "can't be read")
    _refused(session, tmp_path / "empty", "no events.jsonl")


@pytest.mark.parametrize("path", ["/etc/hostname", "../../secret", "out/../../secret", "../..", "out/link"])
def test_result_outside_of_the_folder_is_never_read(session: Session, tmp_path: Path, path: str) -> None:
    away = folder_from_elsewhere(tmp_path / "deep" / "away")
    (tmp_path / "secret").write_bytes(b"hello")
    (away / "out" / "link").symlink_to(tmp_path / "secret")
    events = (away / "events.jsonl").read_text().replace("out/a.txt", path)
    (away / "events.jsonl").write_text(events)

    _refused(session, away, "not in that folder")


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
def test_what_does_not_fit_on_the_disk_is_refused_before_it_is_copied(
    session: Session, tmp_path: Path, packed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = folder_from_elsewhere(tmp_path / "away", content=os.urandom(1 << 20))
    free = shutil.disk_usage(session.home.jobs)._replace(free=(256 << 20) + (1 << 20))
    monkeypatch.setattr(shutil, "disk_usage", lambda _place: free)

    source = zipped(away, tmp_path / "away.zip") if packed else away
    _refused(session, source, "are free", kind=DiskFullError)


def test_folder_of_more_files_than_any_job_makes_is_refused(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workbench.export.import_source._MOST_FILES", 20)
    away = folder_from_elsewhere(tmp_path / "away")
    for number in range(20):
        (away / "out" / f"{number}.txt").touch()

    _refused(session, away, "more than 20 files")


def test_two_imports_at_once_are_refused(session: Session, tmp_path: Path) -> None:
    away = folder_from_elsewhere(tmp_path / "away")

    with FileLock(session.home.root / "import.lock"):
        _refused(session, away, "being imported", kind=InUseError)


def test_job_of_this_home_is_not_imported_into_it(session: Session, tmp_path: Path) -> None:
    taken = import_result(session, folder_from_elsewhere(tmp_path / "away"), _SPEC)

    with pytest.raises(UsageError, match="a job of this home"):
        import_result(session, session.board.get(taken.job_id).folder, _SPEC)


def test_proof_is_taken_over_only_where_its_seal_is_right(session: Session, tmp_path: Path) -> None:
    made = card("Q8_0")
    whole = encode(made)
    altered = whole.replace(b'"Q8_0"', b'"F16"')
    assert altered != whole

    name = "out/a.proof.json"
    _refused(
        session,
        folder_from_elsewhere(tmp_path / "altered", path=name, content=altered),
        "was altered",
        kind=CardError,
    )
    assert Proofs(session.home.proofs).all() == ()

    import_result(session, folder_from_elsewhere(tmp_path / "whole", path=name, content=whole), _SPEC)

    assert [each.card.subject for each in Proofs(session.home.proofs).all()] == [made.subject]


def _claims(**changes: Any) -> tuple[dict[str, Any], ...]:
    spec = {"operation": "x-y", "plugin": "plugins.x", "title": "X", "output_name": "x", **changes}
    return ({"kind": "spec", "t": 0.5, "spec": spec},)


@pytest.mark.parametrize(
    "changes",
    [
        {"plugin": "file:../../evil.py"},
        {"plugin": "os; import sys"},
        {"operation": "../x"},
        {"operation": 5},
        {"params": {"a": "x" * (2 << 20)}},
    ],
    ids=["path", "code", "name", "type", "size"],
)
def test_job_that_claims_what_no_job_is_called_is_refused(
    session: Session, tmp_path: Path, changes: dict[str, Any]
) -> None:
    away = folder_from_elsewhere(tmp_path / "away", before=_claims(**changes))

    _refused(session, away, "does not say which job", spec=None)


def test_claims_that_could_make_something_run_later_are_dropped(session: Session, tmp_path: Path) -> None:
    then = {"operation": "y", "plugin": "plugins.y", "title": "Y", "output_name": "y"}
    claims = _claims(
        requires=["evil"],
        then=[then],
        place="cluster",
        result_source="hf:org/name",
        output_name="../../x",
        title="a\x1b[2Jb\n" + "long " * 100,
        model={"name": "m", "id": "1", "path": "/etc/passwd", "sha256": "nothing", "source": "/root"},
        params={"file": "/etc/passwd", "count": 3},
    )

    taken = import_result(session, folder_from_elsewhere(tmp_path / "away", before=claims))

    spec = session.board.spec(taken.job_id)
    assert (spec.requires, spec.then, spec.place, spec.result_source) == ((), (), "", "")
    assert "/" not in spec.output_name
    assert spec.title.isprintable() and len(spec.title) < 300
    assert spec.model is not None
    assert (spec.model.id, spec.model.path, spec.model.sha256, spec.model.source) == ("", Path(), None, "")
    assert spec.params == {"file": "passwd", "count": 3}


def test_plugin_and_requirements_are_those_that_this_home_knows(session: Session, tmp_path: Path) -> None:
    claims = _claims(operation="imatrix", plugin="evil", requires=["evil"], needs="network")

    taken = import_result(session, folder_from_elsewhere(tmp_path / "away", before=claims))

    spec, entry = session.board.spec(taken.job_id), session.catalogue.operation("imatrix")
    assert (spec.plugin, spec.requires, spec.needs) == (entry.plugin, entry.requires, entry.needs)


def test_script_is_read_and_never_run(session: Session, tmp_path: Path) -> None:
    away = folder_from_elsewhere(tmp_path / "away")
    mark = tmp_path / "ran"
    (away / "job.py").write_text(
        f'''"""Count things: a model."""
from pathlib import Path

Path({str(mark)!r}).touch()
PARAMS = {{"count": 3, "file": "/home/somebody/rows.jsonl"}}
job = Job(
    operation="count-things", plugin="file:counting.py", output_name="x", model=None, params=PARAMS, seed=7
)
'''
    )

    spec = session.board.spec(import_result(session, away).job_id)

    assert not mark.exists()
    assert (spec.operation, spec.plugin, spec.seed) == ("count-things", "file:counting.py", 7)
    assert spec.params == {"count": 3, "file": "rows.jsonl"}
    assert spec.title == "Count things: a model (made elsewhere)"


@pytest.mark.parametrize(
    "script",
    ["", "print(", "job = Job(**dict(a=1))", "(" * 5000, "job = Job(operation=__import__('os').name)"],
    ids=["none", "torn", "no words", "deep", "a call"],
)
def test_folder_that_does_not_say_which_job_it_holds_asks_for_it(
    session: Session, tmp_path: Path, script: str
) -> None:
    away = folder_from_elsewhere(tmp_path / "away")
    (away / "job.py").write_text(script)

    _refused(session, away, "does not say which job", spec=None)


def test_events_that_no_calendar_and_no_plot_can_show_are_left_out(session: Session, tmp_path: Path) -> None:
    odd = (
        {"kind": "metric", "t": 1e300, "name": "loss", "value": 1.0},
        {"kind": "log", "t": -5.0, "text": "before all time"},
        {"kind": "nothing we know", "t": 1.0},
    )
    away = folder_from_elsewhere(tmp_path / "away", before=odd)
    deep = '{"kind": "spec", "t": 1.0, "spec": {"a": ' + "[" * 100_000 + "]" * 100_000 + "}}\n"
    (away / "events.jsonl").write_text(deep + (away / "events.jsonl").read_text())

    folder = session.board.get(import_result(session, away, _SPEC).job_id).folder

    told = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    assert [each["kind"] for each in told] == ["spec", "state", "metric", "artifact", "state"]
    assert "pid" not in told[1]
