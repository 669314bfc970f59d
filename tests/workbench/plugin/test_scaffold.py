"""The package that `tenfold plugin new` writes: clean, installed at once, and known by its name.

That its own test passes is seen where the tutorial is run, in `tests/docs`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from workbench.cli import main
from workbench.errors import UsageError
from workbench.home import Home
from workbench.plugin.scaffold import write_package


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_package("round-weights", tmp_path_factory.mktemp("new"))


def _run(*words: str | Path, folder: Path, path: Path | None = None) -> str:
    variables = {**os.environ, "PYTHONPATH": str(path)} if path is not None else dict(os.environ)
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=folder,
        env=variables,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_linter_and_its_formatter_have_nothing_to_say(package: Path) -> None:
    _run("ruff", "check", "--no-cache", "--extend-select", "I,B,UP,N,SIM,PTH,RUF", ".", folder=package)
    _run("ruff", "format", "--no-cache", "--check", ".", folder=package)


def test_installed_it_is_an_operation_of_the_catalogue(package: Path, tmp_path: Path, home: Home) -> None:
    site = tmp_path / "site"
    quiet = ("--quiet", "--no-deps", "--no-build-isolation", "--disable-pip-version-check", "--no-index")

    _run("pip", "install", *quiet, "--target", site, package, folder=tmp_path)
    said = _run("workbench", "operations", "show", "round-weights", folder=tmp_path, path=site)

    assert "Round weights (round-weights), from round-weights 0.1.0" in said
    assert "To how many bits each weight is rounded" in said


def test_command_says_where_it_wrote_and_what_to_do_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["--home", str(tmp_path / "home"), "plugin", "new", "smaller", "--folder", str(tmp_path)])

    assert code == 0
    assert str(tmp_path / "smaller") in capsys.readouterr().out
    assert (tmp_path / "smaller" / "src" / "smaller" / "__init__.py").is_file()


@pytest.mark.parametrize(
    "name", ["", "Up", "a b", "../x", "a_b", "9lives", "class", "json", "workbench", "x" * 80]
)
def test_names_that_no_package_can_bear_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        write_package(name, tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "smaller").mkdir()
    (tmp_path / "smaller" / "mine.txt").write_text("keep")

    with pytest.raises(UsageError, match="exists already"):
        write_package("smaller", tmp_path)

    assert [each.name for each in (tmp_path / "smaller").iterdir()] == ["mine.txt"]
