"""Folders of jobs as a script leaves them elsewhere."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from workbench.home import Home
from workbench.library.hashing import content_hash
from workbench.session import Session


@pytest.fixture
def session(home: Home) -> Iterator[Session]:
    with Session.open(home, supervise=False) as opened:
        yield opened


def folder_from_elsewhere(
    folder: Path,
    *,
    done: bool = True,
    path: str = "out/a.txt",
    content: bytes = b"hello",
    before: tuple[dict[str, Any], ...] = (),
) -> Path:
    """The folder of a job that made a file; `before` are events at its beginning."""
    result = folder / path
    result.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    result.write_bytes(content)
    events: list[dict[str, Any]] = [
        *before,
        {"kind": "state", "t": 1.0, "state": "running", "pid": 4},
        {"kind": "metric", "t": 1.5, "name": "loss", "value": 2.5, "step": 1},
        {
            "kind": "artifact",
            "t": 2.0,
            "role": "file",
            "path": path,
            "sha256": content_hash(result, (result.name,)),
            "size_bytes": len(content),
        },
    ]
    if done:
        events.append({"kind": "state", "t": 3.0, "state": "done"})
    (folder / "events.jsonl").write_text("".join(json.dumps(each) + "\n" for each in events))
    (folder / "log.txt").write_text("It worked.\n")
    return folder


def zipped(folder: Path, target: Path) -> Path:
    """A zip of a folder, with its own name on top."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(each for each in folder.rglob("*") if each.is_file()):
            archive.write(path, f"result/{path.relative_to(folder).as_posix()}")
    return target
