"""A bundle with wheels holds all that its job needs: pip finds everything in it, and asks no index."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from workbench.export.bundle import write_bundle
from workbench.home import Home
from workbench.jobs.script import render
from workbench.jobs.spec import JobSpec

#: An address that nothing answers at: whatever would fetch something fails at once.
_NOWHERE = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of an operation that needs no backend, unpacked: few packages, and small ones."""
    place = tmp_path_factory.mktemp("offline")
    home = Home(place / "home").create()
    (home.plugins / "own.py").write_text("", encoding="utf-8")
    spec = JobSpec(operation="own", plugin="file:own.py", title="Own", output_name="own")
    write_bundle(home, spec, render(spec), place / "bundle.zip", wheels=True)
    with zipfile.ZipFile(place / "bundle.zip") as archive:
        archive.extractall(place / "bundle")
    return place / "bundle"


def test_every_package_is_found_among_the_wheels(bundle: Path, tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet"]
    found = ["--find-links", str(bundle / "wheels"), "--report", str(tmp_path / "report.json")]

    ended = subprocess.run(
        [*pip, *found, "-r", str(bundle / "requirements.txt")],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PIP_NO_INDEX": "1", "HTTPS_PROXY": _NOWHERE, "HTTP_PROXY": _NOWHERE},
    )

    assert ended.returncode == 0, ended.stderr
    text = (tmp_path / "report.json").read_text(encoding="utf-8")
    assert (bundle / "wheels").as_uri() in text
    assert "http" not in {line.split(":")[1].strip(' "') for line in text.splitlines() if '"url"' in line}


def test_wheels_are_those_that_the_lock_names_and_no_window(bundle: Path) -> None:
    locked = (bundle / "requirements.txt").read_text(encoding="utf-8").splitlines()
    wheels = [each.name for each in (bundle / "wheels").iterdir()]

    assert len(wheels) == len(locked) + 1, "each requirement has one, and Tenfold itself"
    assert not any("pyside" in each.lower() for each in [*wheels, *locked])
    assert "nothing is fetched" in (bundle / "README.md").read_text(encoding="utf-8")
