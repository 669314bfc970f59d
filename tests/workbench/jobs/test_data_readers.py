"""A job whose data a plugin reads: it says which, finds it in its worker, and takes it along."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.fixtures.entries import PLUGINS
from workbench.catalogue import Catalogue
from workbench.cli import main
from workbench.cluster.package import job_package
from workbench.cluster.request import Request
from workbench.export.bundle import write_bundle
from workbench.home import Home
from workbench.jobs.build import make_spec
from workbench.jobs.script import render
from workbench.jobs.spec import JobSpec, ReaderInput

_TEXT = "Who?\n\nMe\n\nWhat?\n\nThat"


@pytest.fixture
def spec(home: Home, tmp_path: Path) -> JobSpec:
    shutil.copy(PLUGINS / "letters.py", home.plugins)
    data = tmp_path / "old.letters"
    data.write_text("Who?|Me\nWhat?|That\n", encoding="utf-8")
    return make_spec(Catalogue(home).operation("write-text"), None, None, {"data": str(data)})


def test_spec_names_what_reads_its_data_and_only_that(spec: JobSpec, home: Home) -> None:
    assert spec.readers == (
        ReaderInput(name="letters", plugin="file:letters.py", suffixes=(".letters", ".letters.gz")),
    )
    assert spec.plugins == ("file:letters.py",)
    entry = Catalogue(home).operation("write-text")
    assert ".letters" in entry.fields[0].suffixes
    assert make_spec(entry, None, None, {"data": "some.jsonl"}).readers == ()
    assert "readers" not in render(spec.model_copy(update={"readers": ()}))


def test_job_from_the_command_line_reads_with_the_plugin(
    spec: JobSpec, home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["--home", str(home.root), "run", "write-text", "--set", f"data={spec.params['data']}"])

    assert code == 0, capsys.readouterr().err
    made = list(home.jobs.glob("*/out/**/text.txt"))
    assert [each.read_text(encoding="utf-8") for each in made] == [_TEXT]


def test_bundle_takes_the_reader_along(spec: JobSpec, home: Home, tmp_path: Path) -> None:
    # As if the operation were Tenfold's own: the reader comes along by itself.
    reads = spec.readers[0].model_copy(update={"plugin": "file:mine.py"})
    shutil.copy(home.plugins / "letters.py", home.plugins / "mine.py")
    own = spec.model_copy(update={"readers": (reads,)})
    write_bundle(home, own, render(own), tmp_path / "job.zip")
    with zipfile.ZipFile(tmp_path / "job.zip") as archive:
        archive.extractall(tmp_path / "there")
    shutil.rmtree(home.root)
    variables = {name: value for name, value in os.environ.items() if name != "TENFOLD_HOME"}

    ran = subprocess.run(
        [sys.executable, "job.py", "--out", "made.txt"],
        cwd=tmp_path / "there",
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr
    assert (tmp_path / "there" / "made.txt").read_text(encoding="utf-8") == _TEXT
    assert {"letters.py", "mine.py"} <= {each.name for each in (tmp_path / "there").iterdir()}


def test_cluster_is_sent_the_reader(spec: JobSpec, home: Home, tmp_path: Path) -> None:
    (tmp_path / "job.py").write_text(render(spec), encoding="utf-8")
    request = Request(submission="1", folder="", inputs=(), pieces=(), threads=1, resume=False)
    own = spec.model_copy(update={"plugin": "plugins.imatrix"})

    assert b"letters.py" in job_package(tmp_path, own, home.plugins, request)
