"""Every form of an exported job runs for real, away from the home, and makes what the job made."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

from workbench.catalogue import Catalogue
from workbench.export.forms import Form, export_job
from workbench.export.wheel import build_wheel
from workbench.home import Home
from workbench.jobs.board import JobBoard
from workbench.jobs.build import make_spec
from workbench.jobs.runner import Runner, is_resting
from workbench.library.library import Library
from workbench.settings import Settings
from workbench.store.database import Store


class Made:
    """A finished quantization."""

    def __init__(self, home: Home, store: Store, model: Path) -> None:
        library = Library(store, home)
        record = library.add(model).record
        entry = Catalogue(home).operation("gguf-quantize")
        spec = make_spec(
            entry,
            record,
            library.facts(record.id),
            {"type": "Q8_0"},
            input=library.to_spec_input(record.id),
        )
        self.home, self.model = home, model
        self.board = JobBoard(store, home)
        self.job = self.board.submit(spec)
        runner = Runner(store, home, library, Settings(store))
        while not is_resting(self.board.get(self.job.id).state):
            runner.poll()
        runner.poll()
        runner.close()
        done = self.board.get(self.job.id)
        assert done.state == "done", done
        assert done.result_model_id is not None
        self.sha256 = _sha256(library.get(done.result_model_id).path)

    def export(self, form: Form, folder: Path, name: str) -> Path:
        return export_job(self.home, self.board, self.job.id, form, folder / name)


@pytest.fixture(scope="module")
def made(tiny_gguf: Path, catalogue_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    home = Home(tmp_path_factory.mktemp("export") / "home").create()
    shutil.copy(catalogue_cache, home.cache)
    store = Store(home.database)
    yield Made(home, store, tiny_gguf)
    store.close()


@pytest.fixture(scope="module")
def packed(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made.export("bundle", tmp_path_factory.mktemp("packed"), "job.zip")


@pytest.fixture
def bundle(packed: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "bundle"
    with zipfile.ZipFile(packed) as archive:
        archive.extractall(folder)
    return folder


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _run(*words: object, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        list(map(str, words)),
        cwd=cwd,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_bundle_runs_from_its_own_wheel_and_makes_the_same_bytes(made: Made, bundle: Path) -> None:
    ended = _run(sys.executable, "run.py", "--here", "--model", made.model, "--out", "made.gguf", cwd=bundle)

    assert ended.returncode == 0, ended.stderr
    assert _sha256(bundle / "made.gguf") == made.sha256
    assert (bundle / "unpacked" / "workbench" / "jobs" / "worker.py").is_file()


def test_bundle_is_the_same_to_the_byte_when_made_again(made: Made, packed: Path, tmp_path: Path) -> None:
    assert made.export("bundle", tmp_path, "again.zip").read_bytes() == packed.read_bytes()


@pytest.mark.parametrize("name", ["job.py", "requirements.txt"])
def test_bundle_that_was_altered_runs_nothing(made: Made, bundle: Path, name: str) -> None:
    with (bundle / name).open("a", encoding="utf-8") as file:
        file.write("# more\n")

    ended = _run(sys.executable, "run.py", "--here", "--model", made.model, "--out", "made.gguf", cwd=bundle)

    assert ended.returncode == 1
    assert f"{name} has changed" in ended.stderr
    assert not (bundle / "made.gguf").exists()


def test_bundle_refuses_a_wheel_that_is_not_its_own(bundle: Path) -> None:
    (bundle / "wheels" / "numpy-99-py3-none-any.whl").write_bytes(b"")

    ended = _run(sys.executable, "run.py", "--check", cwd=bundle)

    assert ended.returncode == 1
    assert "numpy-99" in ended.stderr


def test_bundle_names_nothing_of_this_machine(made: Made, bundle: Path) -> None:
    for name in ("job.py", "README.md", "requirements.txt", "SHA256SUMS"):
        assert str(made.home.root.parent) not in (bundle / name).read_text(encoding="utf-8")


def test_wheel_is_one_that_pip_installs(tmp_path: Path) -> None:
    wheel = build_wheel(tmp_path)

    pip = [sys.executable, "-m", "pip", "install", "--no-index", "--no-deps", "--quiet"]
    ended = _run(*pip, "--target", tmp_path / "site", wheel, cwd=tmp_path)

    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "site" / "plugins" / "gguf_quantize.py").is_file()


def test_slurm_file_is_a_shell_script_that_makes_the_same_bytes(made: Made, tmp_path: Path) -> None:
    file = made.export("slurm", tmp_path, "job.sbatch")

    assert _run("bash", "-n", file, cwd=tmp_path).returncode == 0
    text = file.read_text(encoding="utf-8")
    for line in ("--requeue", "--signal=B:TERM@120", "--open-mode=append", "--mem=", "--cpus-per-task="):
        assert f"#SBATCH {line}" in text
    ended = _run(
        "bash",
        file,
        made.model,
        cwd=tmp_path,
        SLURM_SUBMIT_DIR=str(tmp_path),
        SLURM_CPUS_PER_TASK="1",
        TENFOLD_PYTHON=sys.executable,
        OUT="made.gguf",
    )
    assert ended.returncode == 0, ended.stderr
    assert _sha256(tmp_path / "made.gguf") == made.sha256


def test_notebook_is_valid_and_its_cells_make_the_same_bytes(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = made.export("notebook", tmp_path, "job.ipynb")
    notebook = nbformat.read(file, as_version=4)
    nbformat.validate(notebook)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}

    for cell in notebook.cells:
        if cell.cell_type == "code":
            text = cell.source.replace('MODEL = ""', f"MODEL = {json.dumps(str(made.model))}")
            exec(text, names)  # noqa: S102 - the notebook's own cells, as Jupyter runs them

    results = list((tmp_path / "gguf-quantize-run" / "out").glob("*.gguf"))
    assert [_sha256(each) for each in results] == [made.sha256]
    assert "rss_bytes" in names["series"]  # type: ignore[operator]
