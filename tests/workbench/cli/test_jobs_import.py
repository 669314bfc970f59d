"""`tenfold jobs import`, in the process of the test: a folder alone, with its job, and twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.workbench.export.conftest import folder_from_elsewhere
from workbench.cli import main
from workbench.home import Home

_SPEC = {
    "operation": "count-things",
    "plugin": "file:counting.py",
    "title": "Count things",
    "output_name": "x",
}
_BEFORE = (
    {"kind": "spec", "t": 0.5, "spec": _SPEC},
    {"kind": "machine", "t": 0.6, "name": "node-7\x1b[2J", "cores": 16, "gpus": ["NVIDIA H100"] * 2},
)


def test_folder_alone_says_which_job_it_holds_and_where_it_was_made(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    away = folder_from_elsewhere(tmp_path / "away", before=_BEFORE)

    assert main(["jobs", "import", str(away)]) == 0
    said = capsys.readouterr().out
    assert main(["jobs", "import", str(away)]) == 0
    again = capsys.readouterr().out
    (job,) = _answer(capsys, "jobs", "list")["jobs"]
    shown = _answer(capsys, "jobs", "show", job["job"])

    assert "made on node-7 [2J: 16 cores, 2 × NVIDIA H100" in said
    assert "was imported before" in again
    assert shown["imported"] == "made on node-7 [2J: 16 cores, 2 × NVIDIA H100"
    assert job["title"] == "Count things (made elsewhere)"


def test_job_that_is_not_here_is_named_in_the_refusal(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    away = folder_from_elsewhere(tmp_path / "away")

    assert main(["jobs", "import", "nothing", str(away)]) != 0
    assert "nothing" in capsys.readouterr().err


def _answer(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    assert main([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)
