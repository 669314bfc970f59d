"""Exported scripts run where Qt is not installed, and make what the jobs of the home made."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path, PurePosixPath

import pytest

from tests.plugins.conformance_cases import CASES, Case
from workbench.catalogue import Catalogue
from workbench.home import Home
from workbench.jobs import folder as job_folder
from workbench.jobs.board import JobBoard
from workbench.jobs.build import make_spec
from workbench.jobs.events import Artifact
from workbench.jobs.recover import last_event
from workbench.jobs.runner import Runner, is_resting
from workbench.library.library import Library
from workbench.packing.installed import closure
from workbench.plugin.testing import tiny_model
from workbench.settings import Settings
from workbench.store.database import Store

_ROOT = Path(__file__).parents[3]
_EXTRAS = "llama,torch,mlx,data"
#: Ends at once where a window's library is installed; otherwise says where Tenfold comes from.
_PROBE = """
import importlib.util, workbench
assert importlib.util.find_spec("PySide6") is None
assert importlib.util.find_spec("pytest") is None
print(workbench.__file__)
"""
#: Those seen to give the same so far; each pays for a job and a script, and a few for importing PyTorch.
_RUN = frozenset(
    {"gguf-quantize", "gguf-mixed", "imatrix", "batch-generate", "gguf-convert", "gguf-dequantize"}
)


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that holds what the extras of the engine room require, and no more.

    The files are links to those that are installed here, by the records of their packages: seconds, where an
    installer takes minutes.
    """
    if sys.platform == "win32":
        pytest.skip("there a file that is loaded can't be linked to and removed again")
    place = tmp_path_factory.mktemp("clean") / "env"
    venv.create(place, symlinks=True, with_pip=False)
    python = place / "bin" / "python"
    site = Path(sysconfig.get_path("purelib", vars={"base": str(place), "platbase": str(place)}))
    for distribution in closure([f"tenfold[{_EXTRAS}]"]):
        for listed in distribution.files or ():
            parts = PurePosixPath(listed.as_posix()).parts
            source = Path(str(listed.locate()))
            if parts[0] == ".." or "__pycache__" in parts or not source.is_file():
                continue
            target = site / listed
            if target.exists():
                continue  # two packages may carry the same file
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(source, target)
            except OSError:
                shutil.copy2(source, target)
    for link in site.glob("_editable_impl_tenfold*"):
        link.unlink()
    for package in ("workbench", "plugins"):
        shutil.copytree(_ROOT / package, site / package, ignore=shutil.ignore_patterns("__pycache__"))
    found = subprocess.run(
        [python, "-c", _PROBE], capture_output=True, text=True, check=False, cwd=place, env=_bare()
    )
    assert found.returncode == 0, found.stderr
    assert Path(found.stdout.strip()).is_relative_to(place)
    return python


@pytest.mark.real_model
@pytest.mark.parametrize(
    "case", [each for each in CASES if each.operation in _RUN], ids=lambda case: case.operation
)
def test_script_makes_in_a_clean_environment_what_the_job_made(
    case: Case, clean: Path, home: Home, store: Store, tmp_path: Path
) -> None:
    entry = Catalogue(home).operation(case.operation)
    library, board = Library(store, home), JobBoard(store, home)
    assert entry.input is not None
    format = "gguf" if entry.input == "any" else entry.input
    model = case.model(tmp_path) or tiny_model(format, tmp_path / "model")
    record = library.add(model).record
    spec = make_spec(
        entry,
        record,
        library.facts(record.id),
        case.values(tmp_path),
        input=library.to_spec_input(record.id),
    )
    job = board.submit(spec)
    runner = Runner(store, home, library, Settings(store))
    while not is_resting(board.get(job.id).state):
        runner.poll()
    runner.close()
    assert board.get(job.id).state == "done", "\n".join(job_folder.last_log_lines(home.jobs / job.id))
    made = last_event(home.jobs / job.id, Artifact)
    assert made is not None

    away = tmp_path / "away"
    away.mkdir()
    script = board.export(job.id, away / "job.py")
    words = [str(clean), str(script), "--model", str(model), "--job-dir", str(away / "job")]
    for name, value in case.values(tmp_path).items():
        if any(str(tmp_path) in each for each in (value if isinstance(value, list) else [str(value)])):
            words += ["--set", f"{name}={','.join(value) if isinstance(value, list) else value}"]
    ended = subprocess.run(words, capture_output=True, text=True, check=False, cwd=away, env=_bare())

    assert ended.returncode == 0, ended.stderr[-3000:]
    there = last_event(away / "job", Artifact)
    assert there is not None
    if entry.reproducible:
        assert there.sha256 == made.sha256
    else:
        answers = _answers(home.jobs / job.id / made.path)
        assert len(answers) > 1 and all(answers)
        assert _answers(away / "job" / there.path) == answers
    print(f"{case.operation}: {there.sha256}", "the same" if there.sha256 == made.sha256 else "but for times")


def _answers(result: Path) -> list[str]:
    """The texts of a file of answers; beside each stands how long it took, which no two runs share."""
    return [json.loads(line)["text"] for line in result.read_text(encoding="utf-8").splitlines()]


def _bare() -> dict[str, str]:
    """The variables of this process without those that would bring its packages along."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
