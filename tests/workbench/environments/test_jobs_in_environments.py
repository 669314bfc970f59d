"""Jobs whose requirements conflict with Tenfold's run in an environment that is made once."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

from tests.fixtures.wheels import WHICH_VERSION, make_old_packaging
from workbench.catalogue import Catalogue
from workbench.environments import environment, tools
from workbench.environments.errors import OwnEnvironmentError
from workbench.environments.making import ensure
from workbench.environments.requirements import constraints, normalized, parsed, unfulfilled
from workbench.errors import InUseError, JobCancelled, NotFoundError, PluginError
from workbench.home import Home
from workbench.jobs.board import JobBoard
from workbench.jobs.build import make_spec
from workbench.jobs.events import EventTail, Log, Progress
from workbench.jobs.records import JobRecord
from workbench.jobs.runner import Runner, is_resting
from workbench.library.library import Library
from workbench.settings import Settings
from workbench.store.database import Store

_OLD = "packaging==20.4"


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the installers look instead of the network."""
    folder = tmp_path / "wheels"
    make_old_packaging(folder)
    for name in ("UV_FIND_LINKS", "PIP_FIND_LINKS"):
        monkeypatch.setenv(name, str(folder))
    for name in ("UV_NO_INDEX", "PIP_NO_INDEX", "UV_OFFLINE"):
        monkeypatch.setenv(name, "1")
    return folder


@pytest.fixture
def board(home: Home, store: Store) -> JobBoard:
    (home.plugins / "which.py").write_text(WHICH_VERSION.format(name="which", requires=(_OLD,)))
    return JobBoard(store, home)


@pytest.fixture
def runner(home: Home, store: Store) -> Iterator[Runner]:
    settings = Settings(store)
    settings.save(settings.load().model_copy(update={"cpu_slots": 2}))
    made = Runner(store, home, Library(store, home), settings)
    yield made
    made.close()


class _Report:
    """Keeps what it is told; cancels when it is told to."""

    def __init__(self, *, cancel_at: float = 99) -> None:
        self.lines: list[str] = []
        self.steps: list[float] = []
        self._cancel_at = cancel_at

    def log(self, text: str) -> None:
        self.lines.append(text)

    def progress(self, done: float, total: float, *, unit: str = "", label: str = "") -> None:
        self.steps.append(done)

    def check(self) -> None:
        if self.steps and self.steps[-1] >= self._cancel_at:
            raise JobCancelled


def test_a_job_sees_the_version_that_its_plugin_requires_and_not_tenfolds(
    home: Home, board: JobBoard, runner: Runner, wheels: Path
) -> None:
    spec = make_spec(Catalogue(home).operation("which"), None, None, {})

    first, second = board.submit(spec), board.submit(spec)
    ended = [_finish(board, runner, each) for each in (first, second)]

    assert [each.state for each in ended] == ["done", "done"], ended
    assert [_written(each) for each in ended] == ["20.4", "20.4"]
    assert metadata.version("packaging") != "20.4"
    (made,) = environment.environments(home)
    assert made.requirements == (_OLD,) and "packaging 20.4" in made.packages and made.size_bytes > 1000
    # Both began at once; one made it, the other waited.
    told = [" ".join(_logs(each)) for each in ended]
    assert sum("Making an environment" in each for each in told) == 1
    labels = [each.label for job in ended for each in _events(job, Progress)]
    assert f"Installing {_OLD}" in labels


def test_a_cancel_while_the_environment_is_made_leaves_nothing(
    home: Home, board: JobBoard, runner: Runner, wheels: Path
) -> None:
    held = environment.lock_of(home, environment.key_of([_OLD]))
    job = board.submit(make_spec(Catalogue(home).operation("which"), None, None, {}))
    with held:
        _until(runner, lambda: any("waiting for it" in each for each in _logs(job)))
        board.cancel(job.id)
        ended = _finish(board, runner, job)

    assert ended.state == "cancelled"
    assert environment.environments(home) == []


def test_without_a_network_the_job_says_so(
    home: Home, board: JobBoard, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A port that nobody listens at is what a machine without a network meets.
    for name in ("UV_DEFAULT_INDEX", "PIP_INDEX_URL"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/simple")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("UV_NO_CACHE", "1")

    ended = _finish(
        board, runner, board.submit(make_spec(Catalogue(home).operation("which"), None, None, {}))
    )

    assert (ended.state, ended.error_kind) == ("failed", "environment")
    assert "no connection" in ended.error_message and "network" in ended.error_remedy
    assert environment.key_of([_OLD]) not in {each.name for each in home.environments.iterdir()}


def test_a_cancelled_making_leaves_no_folder_and_the_next_one_succeeds(home: Home, wheels: Path) -> None:
    with pytest.raises(JobCancelled):
        ensure(home, [_OLD], _Report(cancel_at=1))
    assert [each for each in home.environments.iterdir() if each.is_dir()] == []

    made = ensure(home, [_OLD], _Report())

    again = _Report()
    assert ensure(home, ["packaging == 20.4"], again) == made
    assert again.lines == [] and again.steps == []


def test_an_environment_without_its_marker_is_made_anew(home: Home, wheels: Path) -> None:
    folder = home.environments / environment.key_of([_OLD])
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "left-over").touch()

    ensure(home, [_OLD], _Report())

    assert not (folder / "bin" / "left-over").exists()


def test_pip_makes_the_same_where_there_is_no_uv(
    home: Home, wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tools, "find_uv", lambda: None)

    made = ensure(home, [_OLD], _Report())

    assert made.packages == ("packaging 20.4",)


def test_requirements_that_do_not_exist_are_explained(home: Home, wheels: Path) -> None:
    with pytest.raises(OwnEnvironmentError) as refused:
        ensure(home, ["packaging==20.4", "packaging==20.3"], _Report())

    assert refused.value.kind == "environment" and refused.value.details
    assert "can't be had together" in refused.value.message


def test_one_in_use_stays_and_another_is_removed(home: Home, wheels: Path) -> None:
    made = ensure(home, [_OLD], _Report())

    with pytest.raises(InUseError):
        environment.remove(home, made.key, in_use={made.key})
    assert environment.environments(home) == [made]
    environment.remove(home, made.key)

    assert environment.environments(home) == [] and not made.folder.exists()
    with pytest.raises(NotFoundError):
        environment.remove(home, made.key)


def test_what_tenfold_has_is_taken_from_it() -> None:
    here = metadata.version("packaging")

    assert unfulfilled(["packaging", f"packaging=={here}", "numpy>=1"]) == ()
    assert unfulfilled(["packaging==20.4", "surely-not-there"]) == ("packaging==20.4", "surely-not-there")
    assert unfulfilled(["surely-not-there; python_version < '3'"]) == ()
    with pytest.raises(PluginError, match="needs Tenfold"):
        unfulfilled(["tenfold>=99"])


def test_options_and_nonsense_are_no_requirements() -> None:
    for text in ("-r /etc/passwd", "--index-url http://x", "a b", ""):
        with pytest.raises(PluginError):
            normalized([text])


def test_the_key_depends_on_what_is_required_and_not_on_how_it_is_written() -> None:
    assert environment.key_of(["B>=1", "a"]) == environment.key_of(["a", "b >= 1"])
    assert environment.key_of(["a==1"]) != environment.key_of(["a==2"])


def test_the_libraries_of_a_worker_are_held_to_versions_it_can_use() -> None:
    found = {each.partition(">")[0] for each in constraints()}
    listing = "import sys, json, workbench.jobs.worker; print(json.dumps(list(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", listing], capture_output=True, text=True, check=True)
    packages = metadata.packages_distributions()
    imported = {each for name in json.loads(ran.stdout) for each in packages.get(name.partition(".")[0], ())}
    own = {parsed(each).name for each in metadata.requires("tenfold") or () if "extra" not in each}

    assert imported & own and imported & own <= found
    assert not found & {"huggingface_hub", "SQLAlchemy"}


def _finish(board: JobBoard, runner: Runner, job: JobRecord) -> JobRecord:
    _until(runner, lambda: is_resting(board.get(job.id).state) and job.id not in runner.running)
    return board.get(job.id)


def _until(runner: Runner, condition: object, limit_s: float = 90) -> None:
    tick, end = threading.Event(), time.monotonic() + limit_s
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end
        runner.poll()
        tick.wait(0.02)


def _events(job: JobRecord, kind: type) -> list:  # type: ignore[type-arg]
    return [each for each in EventTail(job.folder / "events.jsonl").read() if isinstance(each, kind)]


def _logs(job: JobRecord) -> list[str]:
    return [each.text for each in _events(job, Log)]


def _written(job: JobRecord) -> str:
    (file,) = (job.folder / "out").rglob("version.txt")
    return file.read_text()


def test_the_interpreter_is_the_environments_own_on_every_system() -> None:
    inside = environment.python_in(Path("e")).as_posix()

    assert inside == ("e/Scripts/python.exe" if sys.platform == "win32" else "e/bin/python")
