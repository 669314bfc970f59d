"""A recipe runs away from its home, is killed on the way, goes on, and makes the bytes that the jobs made."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from tests.fixtures.script_here import run_here
from tests.workbench.recipes.conftest import Line
from workbench.jobs import exits

pytestmark = pytest.mark.timeout(240)


def _start(line: Line, folder: Path, *words: object) -> subprocess.Popen[str]:
    """Start the recipe as somebody else would, who has no home."""
    script = folder / "recipe.py"
    if not script.exists():
        for each in line.script.parent.iterdir():
            shutil.copy(each, folder)
    return subprocess.Popen(
        [sys.executable, script, "--model", line.models[0].path, "--out", folder / "made.gguf", *words],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if name != "TENFOLD_HOME"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


def _run(line: Line, folder: Path, *words: object) -> tuple[int, str]:
    started = _start(line, folder, *words)
    said, errors = started.communicate()
    return started.returncode, said + errors


def _until_step(kept: Path, step: int, limit_s: float = 60) -> None:
    tick, end = threading.Event(), time.monotonic() + limit_s
    while not (kept.exists() and kept.read_text() != "" and int(kept.read_text()) >= step):
        assert time.monotonic() < end, kept
        tick.wait(0.02)


def _kill(process: subprocess.Popen[str]) -> None:
    """As a power cut would: the recipe and the step that is at work."""
    tree = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    for each in tree:
        each.kill()
    psutil.wait_procs(tree)
    process.communicate()


def test_killed_recipe_goes_on_and_makes_the_bytes_that_the_jobs_made(line: Line, tmp_path: Path) -> None:
    slow = ("--set", "steps-2.steps=200", "--set", "steps-2.pause_ms=20")
    begun = _start(line, tmp_path, *slow)
    _until_step(tmp_path / "made.gguf.work" / "02-steps-2" / "checkpoints" / "step", 3)
    _kill(begun)
    first_events = (tmp_path / "made.gguf.work" / "01-steps" / "events.jsonl").read_bytes()

    anew, refused = _run(line, tmp_path, *slow)
    code, said = _run(line, tmp_path, *slow, "--resume")

    assert anew == exits.USAGE
    assert "holds steps of an earlier run. Add --resume" in refused
    assert code == exits.DONE, said
    assert "1 of 4: Work in steps (steps): tiny: done already." in said
    assert "2 of 4: Work in steps" in said
    log = (tmp_path / "made.gguf.work" / "02-steps-2" / "log.txt").read_text(encoding="utf-8")
    assert "begins at step 0" in log
    assert [each for each in log.splitlines() if each.startswith("begins at step")][-1] != "begins at step 0"
    assert (tmp_path / "made.gguf.work" / "01-steps" / "events.jsonl").read_bytes() == first_events
    made = (tmp_path / "made.gguf").read_bytes()
    assert hashlib.sha256(made).hexdigest() == line.models[-1].sha256
    assert f"It is the same as where this recipe was exported, sha256 {line.models[-1].sha256}." in said
    # What was made in between is gone, and what each step told stays.
    assert list((tmp_path / "made.gguf.work").rglob("*.gguf")) == []
    assert len(list((tmp_path / "made.gguf.work").rglob("events.jsonl"))) == 4

    again, told = _run(line, tmp_path, *slow, "--resume")

    assert again == exits.DONE
    assert told.count("done already") == 4


def test_recipe_is_paused_by_a_request_in_its_folder(line: Line, tmp_path: Path) -> None:
    work = tmp_path / "steps of it"
    begun = _start(line, tmp_path, "--work", work, "--set", "steps.steps=2000", "--set", "steps.pause_ms=20")
    _until_step(work / "01-steps" / "checkpoints" / "step", 2)

    (work / "request").write_text("pause", encoding="utf-8")
    _, errors = begun.communicate()

    assert begun.returncode == exits.PAUSED
    assert "Step 1 of 4 (steps) is paused. --resume goes on from there." in errors
    assert (work / "01-steps" / "checkpoints" / "step").exists()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--set", "nowhere.steps=3"), exits.USAGE, "there is no step 'nowhere'; the steps are steps, "),
        (("--set", "steps"), exits.USAGE, "--set takes STEP.NAME=VALUE"),
        (("--set", "gguf-quantize.type=Q99"), exits.USAGE, "gguf-quantize: “Type” can't be 'Q99'"),
        (("--model", "{other}"), exits.FAILED, "it is another model than the script was written for"),
        (("--step", "nowhere"), exits.USAGE, "unrecognized arguments"),
    ],
)
def test_what_can_not_be_right_is_refused_before_any_step(
    line: Line,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    code: int,
    said: str,
) -> None:
    other = tmp_path / "other.gguf"
    other.write_bytes(line.models[0].path.read_bytes() + b"\0")
    given = ["--model", str(line.models[0].path), "--out", str(tmp_path / "made.gguf")]
    given += [word.format(other=other) for word in words]

    # In this process: no step is started.
    assert run_here(line.script, *given) == code
    assert said in capsys.readouterr().err
    assert not (tmp_path / "made.gguf.work").exists()


def test_steps_are_listed_and_explain_their_flags(line: Line, tmp_path: Path) -> None:
    listed, text = _run(line, tmp_path, "--list")
    script = tmp_path / "recipe.py"
    helped = subprocess.run(
        [sys.executable, script, "--step", "gguf-quantize", "--help"],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )

    assert listed == exits.DONE
    assert [each.split()[:2] for each in text.splitlines()] == [
        ["1", "steps"],
        ["2", "steps-2"],
        ["3", "imatrix"],
        ["4", "gguf-quantize"],
    ]
    assert helped.returncode == exits.DONE
    assert "usage: recipe.py --step gguf-quantize" in helped.stdout
    assert "--type VALUE" in helped.stdout
