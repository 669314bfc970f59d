"""Plugins come into a home after they were shown, are used from there, and go again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.wheels import WHICH_VERSION, make_old_packaging, make_wheel
from workbench.catalogue import Catalogue, CatalogueContents
from workbench.cli import main
from workbench.environments import environment
from workbench.errors import NotFoundError, PluginError, UsageError
from workbench.home import Home
from workbench.plugin_home import installing, process
from workbench.plugin_home.choices import set_enabled
from workbench.plugin_home.facts import PackageFacts
from workbench.plugin_home.fetching import fetch
from workbench.plugin_home.finding import watch_state
from workbench.plugin_home.process import plugin_named

#: A build program that says when it was run: it needs nothing that is not in the folder.
_BACKEND = """
import pathlib, sys
pathlib.Path(__file__).with_name("was-run").touch()
sys.path.insert(0, {tests!r})

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    from tests.fixtures.wheels import make_wheel
    files = {{"tenfold_extra/__init__.py": "", "tenfold_extra/main.py": pathlib.Path("main.py").read_text()}}
    points = {{"extra": "tenfold_extra.main"}}
    made = make_wheel(pathlib.Path(wheel_directory), "tenfold-extra", "1.2", files, entry_points=points)
    return made.name
"""
_PROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "tenfold-extra"
version = "1.2"
description = "From a folder"
authors = [{name = "Ada Lovelace"}]
dependencies = ["numpy"]
[project.entry-points."tenfold.plugins"]
extra = "tenfold_extra.main"
"""


def _plugin(name: str = "which", requires: tuple[str, ...] = ()) -> str:
    return WHICH_VERSION.format(name=name, requires=requires)


def _wheel(folder: Path, version: str = "1.2", name: str = "which", **more: Any) -> Path:
    files = {"tenfold_extra/__init__.py": "", "tenfold_extra/main.py": _plugin(name)}
    return make_wheel(
        folder, "tenfold-extra", version, files, entry_points={"extra": "tenfold_extra.main"}, **more
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "developed"
    made.mkdir()
    (made / "pyproject.toml").write_text(_PROJECT)
    (made / "backend.py").write_text(_BACKEND.format(tests=str(Path(__file__).parents[3])))
    (made / "main.py").write_text(_plugin())
    package = made / "src" / "tenfold_extra"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "main.py").write_text(_plugin())
    return made


def _tenfold(*words: object) -> Any:
    command = [sys.executable, "-m", "workbench", *map(str, words), "--json"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, encoding="utf-8")
    return json.loads(ended.stdout)


def _names(contents: CatalogueContents) -> set[str]:
    return {each.name for each in contents.operations}


def test_an_installed_wheel_offers_its_operation_and_its_job_runs(home: Home, tmp_path: Path) -> None:
    wheel = _wheel(tmp_path)

    said = _tenfold("plugin", "install", wheel, "--yes")
    ran = _tenfold("run", "which")

    assert (said["installed"], said["version"]) == ("tenfold-extra", "1.2")
    assert ran["state"] == "done", ran
    listed = {each["title"]: each for each in _tenfold("plugin", "list")["plugins"]}
    extra = listed["extra"]
    assert (extra["kind"], extra["package"], extra["version"]) == ("installed", "tenfold-extra", "1.2")
    assert [each["name"] for each in extra["operations"]] == ["which"]
    assert listed["gguf-quantize"]["kind"] == "ours"
    # Nothing of it is in the environment that Tenfold itself runs in.
    assert subprocess.run([sys.executable, "-c", "import tenfold_extra"], capture_output=True).returncode

    # Its code travels in a bundle, where the script finds it beside itself.
    _tenfold("jobs", "export", "last", "--form", "bundle", "-o", tmp_path / "bundle.zip")
    with zipfile.ZipFile(tmp_path / "bundle.zip") as bundle:
        bundle.extractall(tmp_path / "away")
    elsewhere = {**os.environ, "TENFOLD_HOME": str(tmp_path / "nobody")}
    words = [sys.executable, "job.py", "--out", "version.txt"]
    subprocess.run(words, cwd=tmp_path / "away", env=elsewhere, check=True)
    assert (tmp_path / "away" / "version.txt").read_text()

    _tenfold("plugin", "remove", "extra")

    assert "which" not in _names(Catalogue(home).load())
    assert list(home.installed_plugins.iterdir()) == []


def test_nothing_is_installed_without_consent(home: Home, tmp_path: Path) -> None:
    wheel = _wheel(tmp_path)

    shown = _tenfold("plugin", "install", wheel, "--show")
    refused = _tenfold("plugin", "install", wheel)

    assert shown["facts"]["author"] == "Ada Lovelace"
    assert refused["error"]["kind"] == "usage" and installing.RIGHTS in refused["error"]["message"]
    assert not home.installed_plugins.exists()


def test_another_file_than_was_shown_is_not_installed(home: Home, tmp_path: Path) -> None:
    shown = installing.inspect(_wheel(tmp_path))
    _wheel(tmp_path, summary="Something else by now")

    with pytest.raises(PluginError, match="changed since it was shown"):
        installing.install(home, shown)

    assert not home.installed_plugins.exists()


def test_a_folder_is_read_without_its_build_program_and_built_after_consent(home: Home, folder: Path) -> None:
    facts = installing.inspect(folder)
    assert (facts.name, facts.version, facts.author) == ("tenfold-extra", "1.2", "Ada Lovelace")
    assert facts.builds and not (folder / "was-run").exists()

    installing.install(home, facts)

    assert (folder / "was-run").exists()
    assert "which" in _names(Catalogue(home).load())


def test_a_build_that_fails_leaves_what_was_there(home: Home, folder: Path, tmp_path: Path) -> None:
    installing.install(home, installing.inspect(_wheel(tmp_path, "1.0")))
    (folder / "backend.py").write_text("raise RuntimeError('no build today')")

    with pytest.raises(Exception, match="could not be installed"):
        installing.install(home, installing.inspect(folder))

    assert plugin_named(home, "extra").version == "1.0"
    assert [each.name for each in installing.drafts(home).iterdir()] == ["installing.lock"]


def test_what_a_killed_installation_left_goes_with_the_next(home: Home, tmp_path: Path) -> None:
    left = installing.drafts(home) / "0123"
    (left / "site").mkdir(parents=True)

    installing.install(home, installing.inspect(_wheel(tmp_path)))

    assert not left.exists() and plugin_named(home, "extra").version == "1.2"


def test_plugins_are_listed_before_they_have_been_looked_at(home: Home) -> None:
    for number in range(3):
        (home.plugins / f"p{number}.py").write_text(_plugin(f"p{number}"))
    catalogue = Catalogue(home)

    catalogue.start_refresh()
    early = {each.title: each for each in catalogue.so_far().plugins}
    late = {each.title: each for each in catalogue.load().plugins}

    assert early["p0"].pending and not early["p0"].operations
    assert not late["p0"].pending and [each.name for each in late["p0"].operations] == ["p0"]


def test_a_newer_version_takes_the_place_of_the_older(home: Home, tmp_path: Path) -> None:
    installing.install(home, installing.inspect(_wheel(tmp_path / "1", "1.0")))
    catalogue = Catalogue(home)
    assert "which" in _names(catalogue.load())

    installing.install(home, installing.inspect(_wheel(tmp_path / "2", "2.0", name="whichever")))

    assert catalogue.has_changed()
    assert "whichever" in _names(catalogue.load()) and "which" not in _names(catalogue.load())
    assert plugin_named(home, "extra").version == "2.0"


def test_a_linked_folder_is_used_where_it_lies_and_an_edit_is_noticed(home: Home, folder: Path) -> None:
    installing.link(home, folder)
    catalogue = Catalogue(home)
    assert "which" in _names(catalogue.load()) and not catalogue.has_changed()

    (folder / "src" / "tenfold_extra" / "main.py").write_text(_plugin("renamed-by-hand"))

    assert catalogue.has_changed()
    assert "renamed-by-hand" in _names(catalogue.load())
    assert _tenfold("run", "renamed-by-hand")["state"] == "done"
    assert not (folder / "was-run").exists()

    installing.remove(home, plugin_named(home, "extra"))
    assert "renamed-by-hand" not in _names(catalogue.load()) and folder.is_dir()


def test_a_folder_that_is_gone_or_broken_is_one_failure(home: Home, folder: Path) -> None:
    installing.link(home, folder)
    (folder / "pyproject.toml").write_text("[project")

    contents = Catalogue(home).load()

    (failure,) = contents.failures
    assert "well-formed" in failure.reason
    assert "gguf-quantize" in _names(contents)
    # It can still be taken out, by the name of its folder.
    installing.remove(home, plugin_named(home, folder.name))
    assert Catalogue(home).load().failures == ()


def test_a_plugin_that_is_switched_off_is_not_imported_and_offers_nothing(home: Home, tmp_path: Path) -> None:
    mark = tmp_path / "imported"
    file = home.plugins / "loud.py"
    file.write_text(f"import pathlib\npathlib.Path({str(mark)!r}).touch()\n" + _plugin("loud"))
    set_enabled(home, "file:loud.py", enabled=False)
    catalogue = Catalogue(home)

    contents = catalogue.load()

    assert not mark.exists() and "loud" not in _names(contents)
    (off,) = [each for each in contents.plugins if not each.enabled]
    assert (off.title, off.failure) == ("loud", None)
    set_enabled(home, "file:loud.py", enabled=True)
    assert catalogue.has_changed() and "loud" in _names(catalogue.load()) and mark.exists()

    set_enabled(home, "file:loud.py", enabled=False)
    with pytest.raises(NotFoundError, match="switched off"):
        catalogue.operation("loud")


def test_a_package_is_fetched_by_name_shown_and_then_installed(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _index(_wheel(tmp_path / "index").parent, monkeypatch)

    facts = fetch(installing.drafts(home), "tenfold-extra==1.2")
    assert (facts.name, facts.version, facts.source) == ("tenfold-extra", "1.2", "fetched")
    assert not home.installed_plugins.exists()

    installing.install(home, facts)

    assert "which" in _names(Catalogue(home).load()) and not facts.path.exists()
    for name in ("tenfold-extra @ file:///tmp/x.whl", "--help", "../x"):
        with pytest.raises(PluginError):
            fetch(installing.drafts(home), name)


def test_what_a_package_requires_and_tenfold_lacks_gets_an_environment(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It imports what it requires at the top, where no version of Tenfold's own has it.
    wheel = make_wheel(
        tmp_path,
        "tenfold-extra",
        "1.2",
        {"tenfold_extra.py": "import packaging\nassert packaging.__version__ == '20.4'\n" + _plugin()},
        entry_points={"extra": "tenfold_extra"},
        requires=["packaging==20.4", "numpy"],
    )
    _index(make_old_packaging(tmp_path / "index").parent, monkeypatch)

    said = _tenfold("plugin", "install", wheel, "--yes")

    assert said["message"] == "tenfold-extra 1.2 is installed."
    assert len(environment.environments(home)) == 1
    entry = Catalogue(home).operation("which")
    assert entry.requires == ("packaging==20.4",)
    assert _tenfold("run", "which")["state"] == "done"


def test_a_module_of_tenfold_keeps_its_place(home: Home, folder: Path) -> None:
    project = (folder / "pyproject.toml").read_text()
    (folder / "pyproject.toml").write_text(project.replace("tenfold_extra.main", "plugins.gguf_quantize"))
    (folder / "src" / "plugins").mkdir()
    installing.link(home, folder)

    contents = Catalogue(home).load()

    (failure,) = contents.failures
    assert "offers the module plugins.gguf_quantize already" in failure.reason
    assert Catalogue(home).operation("gguf-quantize").source.startswith("tenfold ")


def test_ours_can_be_switched_off_but_not_removed(home: Home) -> None:
    with pytest.raises(UsageError, match="belongs to Tenfold"):
        installing.remove(home, plugin_named(home, "imatrix"))


def test_the_command_switches_lists_and_removes_environments(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def said(*words: str) -> Any:
        code = main([*words, "--json"])
        return {"code": code, **json.loads(capsys.readouterr().out)}

    (home.plugins / "mine.py").write_text(_plugin("mine"))
    assert said("plugin", "disable", "mine") == {"code": 0, "plugin": "file:mine.py", "enabled": False}
    assert "mine" not in _names(Catalogue(home).load())
    assert said("plugin", "enable", "mine")["enabled"] and "mine" in _names(Catalogue(home).load())
    assert said("plugin", "disable", "nobody")["error"]["kind"] == "not-found"

    _index(make_old_packaging(tmp_path / "index").parent, monkeypatch)
    process.main(["make-environment", "packaging==20.4"])
    capsys.readouterr()
    (kept,) = said("plugin", "environments")["environments"]
    assert kept["requirements"] == ["packaging==20.4"] and kept["size_bytes"] > 0
    assert said("plugin", "environments", "--remove", kept["key"])["removed"] == kept["key"]
    assert said("plugin", "environments")["environments"] == []


def test_what_lies_beside_the_source_of_a_linked_folder_is_not_followed(home: Home, folder: Path) -> None:
    installing.link(home, folder)
    before = watch_state(home)
    for place in (".venv/lib", "env", "build/lib", "src/tenfold_extra/__pycache__"):
        (folder / place).mkdir(parents=True)
        (folder / place / "other.py").touch()
    (folder / "env" / "pyvenv.cfg").touch()

    assert watch_state(home) == before
    (folder / "src" / "tenfold_extra" / "helper.py").touch()
    assert watch_state(home) != before


def test_what_is_no_plugin_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.py").write_text("this is no python")
    (tmp_path / "x.whl").write_bytes(b"PK")

    for name, words in (
        ("empty", "no pyproject"),
        ("text.py", "not a Python file"),
        ("x.whl", "not named like a wheel"),
        ("nowhere", "There is no"),
    ):
        with pytest.raises((PluginError, NotFoundError), match=words):
            installing.inspect(tmp_path / name)


def test_facts_survive_the_way_to_the_window(folder: Path) -> None:
    facts = installing.inspect(folder)

    assert PackageFacts.model_validate_json(facts.model_dump_json()) == facts


def _index(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder where the installers look instead of the network."""
    for name in ("UV_FIND_LINKS", "PIP_FIND_LINKS"):
        monkeypatch.setenv(name, str(folder))
    for name in ("UV_NO_INDEX", "PIP_NO_INDEX", "UV_OFFLINE"):
        monkeypatch.setenv(name, "1")
