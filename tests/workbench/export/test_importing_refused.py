"""A folder or zip that was altered, is not done or reaches outside is refused, and leaves nothing."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from workbench.errors import UsageError
from workbench.export.importing import import_result
from workbench.home import Home
from workbench.jobs.board import JobBoard
from workbench.jobs.spec import JobSpec
from workbench.library.hashing import content_hash
from workbench.library.library import Library
from workbench.store.database import Store

_SPEC = JobSpec(operation="x", plugin="plugins.x", title="X", output_name="x")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home").create()


def _folder(folder: Path, *, done: bool = True) -> Path:
    result = folder / "out" / "a.txt"
    result.parent.mkdir(parents=True)
    result.write_bytes(b"hello")
    events: list[dict[str, object]] = [
        {"kind": "state", "t": 1.0, "state": "running"},
        {
            "kind": "artifact",
            "t": 2.0,
            "role": "file",
            "path": "out/a.txt",
            "sha256": content_hash(result, ("a.txt",)),
            "size_bytes": 5,
        },
    ]
    if done:
        events.append({"kind": "state", "t": 3.0, "state": "done"})
    (folder / "events.jsonl").write_text("".join(json.dumps(each) + "\n" for each in events))
    return folder


def _zip(tmp_path: Path, extra: str, content: bytes) -> Path:
    folder, target = _folder(tmp_path / "packed"), tmp_path / "away.zip"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in (folder / "events.jsonl", folder / "out" / "a.txt"):
            archive.write(path, f"r/{path.relative_to(folder).as_posix()}")
        archive.writestr(extra, content)
    return target


def _refused(home: Home, store: Store, source: Path, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        import_result(home, store, Library(store, home), _SPEC, source)
    assert list(home.jobs.iterdir()) == []


def test_whole_folder_is_taken(home: Home, store: Store, tmp_path: Path) -> None:
    made = import_result(home, store, Library(store, home), _SPEC, _folder(tmp_path / "away"))

    assert JobBoard(store, home).get(made).state == "done"


def test_altered_result_is_noticed(home: Home, store: Store, tmp_path: Path) -> None:
    away = _folder(tmp_path / "away")
    (away / "out" / "a.txt").write_bytes(b"hellp")

    _refused(home, store, away, "changed after it was made")


def test_job_that_is_not_done_is_refused(home: Home, store: Store, tmp_path: Path) -> None:
    _refused(home, store, _folder(tmp_path / "away", done=False), "not done")


@pytest.mark.parametrize(
    ("extra", "content", "why"),
    [
        ("r/../../../escaped", b"x", "outside of itself"),
        ("r/out/zeros", b"\0" * (8 << 20), "far more"),
    ],
)
def test_hostile_zip_is_refused(
    home: Home, store: Store, tmp_path: Path, extra: str, content: bytes, why: str
) -> None:
    _refused(home, store, _zip(tmp_path, extra, content), why)
    assert not (tmp_path / "escaped").exists()


def test_what_is_no_zip_is_refused(home: Home, store: Store, tmp_path: Path) -> None:
    (tmp_path / "none.zip").write_bytes(b"no zip at all")

    _refused(home, store, tmp_path / "none.zip", "can't be read")
    _refused(home, store, tmp_path / "nowhere.zip", "can't be read")
