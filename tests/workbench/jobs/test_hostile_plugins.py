"""What a hostile plugin does harms its own job: not the runner, nor the next job, nor the catalogue."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from workbench.catalogue import Catalogue
from workbench.catalogue_entry import OperationEntry
from workbench.catalogue_process import as_data
from workbench.home import Home
from workbench.jobs import log_limit, watch
from workbench.jobs.build import make_spec
from workbench.jobs.events import EventTail, Log
from workbench.jobs.loading import load_operation
from workbench.jobs.records import JobRecord

if TYPE_CHECKING:
    from tests.workbench.jobs.conftest import Bench

_PLUGINS = Path(__file__).parents[2] / "fixtures" / "plugins"


@pytest.fixture
def hostile(bench: Bench) -> Iterator[OperationEntry]:
    """The plugin that does harm; afterwards an honest job must still go through."""
    shutil.copy(_PLUGINS / "hostile.py", bench.home.plugins)
    operation = load_operation("file:hostile.py", "hostile", [_PLUGINS])
    where = {"plugin": "file:hostile.py", "source": "tests", "digest": ""}
    yield OperationEntry.model_validate({**as_data(operation), **where})
    assert bench.finish(bench.submit(steps=1)).state == "done"


def _submit(bench: Bench, entry: OperationEntry, harm: str) -> JobRecord:
    source = bench.library.to_spec_input(bench.model.id)
    facts = bench.library.facts(bench.model.id)
    return bench.board.submit(make_spec(entry, bench.model, facts, {"harm": harm}, input=source))


def _is_gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize(
    ("harm", "word"),
    [
        ("none", "returned None, which is no path"),
        ("number", "returned 42, which is no path"),
        ("outside", "did not build in its output folder"),
        ("missing", "did not build in its output folder"),
        ("empty", "holds nothing"),
        ("empty-folder", "holds nothing"),
        pytest.param(
            "link",
            "only a link",
            marks=pytest.mark.skipif(sys.platform == "win32", reason="links need rights"),
        ),
        ("rubbish", "not a readable model"),
        ("other-format", "not a readable model"),
    ],
)
def test_nonsense_is_refused_in_words_and_nothing_of_it_stays(
    bench: Bench, hostile: OperationEntry, harm: str, word: str
) -> None:
    job = bench.finish(_submit(bench, hostile, harm))

    assert (job.state, job.error_kind) == ("failed", "plugin")
    assert word in job.error_message
    assert list((job.folder / "out").iterdir()) == []
    assert bench.model.path.is_file()
    assert len(bench.library.list()) == 1


def test_output_without_end_and_without_sense_is_kept_short_and_the_job_goes_on(
    bench: Bench, hostile: OperationEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_limit, "_INTERVAL_S", 0.0)
    monkeypatch.setattr(log_limit.LogLimit.__init__, "__defaults__", (2 << 20,))

    job = bench.finish(_submit(bench, hostile, "prints"))

    assert job.state == "done"
    log = job.folder / "log.txt"
    assert log.stat().st_size < 60_000_000 / 2
    assert "were cut here" in log.read_text(encoding="utf-8", errors="replace")
    assert all(isinstance(line, str) for line in bench.board.last_log_lines(job.id))


def test_events_that_a_plugin_garbled_are_passed_over(bench: Bench, hostile: OperationEntry) -> None:
    job = bench.finish(_submit(bench, hostile, "garbles-events"))

    assert job.state == "done"
    assert job.result_model_id is not None


def test_daemon_that_left_the_group_ends_with_its_job(bench: Bench, hostile: OperationEntry) -> None:
    job = bench.finish(_submit(bench, hostile, "daemon"))

    events = EventTail(job.folder / "events.jsonl").read(1 << 20)
    said = next(event.text for event in events if isinstance(event, Log) and "child" in event.text)
    assert job.state == "done"
    bench.until(lambda: _is_gone(int(said.split()[1])))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux holds a process to such a limit")
def test_memory_that_runs_out_is_one_failure_in_words(bench: Bench, hostile: OperationEntry) -> None:
    job = bench.finish(_submit(bench, hostile, "leaks"))

    assert (job.state, job.error_kind) == ("failed", "out-of-memory")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such score")
def test_system_would_end_a_worker_before_the_window(bench: Bench, hostile: OperationEntry) -> None:
    job = bench.submit(steps=10_000, pause_ms=10)
    bench.until_step(job, 1)
    worker = int(Path(f"/proc/{bench.board.get(job.id).pid}/oom_score_adj").read_text())
    bench.board.cancel(job.id)
    bench.finish(job)

    assert worker > int(Path("/proc/self/oom_score_adj").read_text())


def test_hanging_worker_that_ignores_signals_is_killed_by_a_cancel(
    bench: Bench, hostile: OperationEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "CANCEL_GRACE_S", 0.5)
    job = _submit(bench, hostile, "hangs")
    bench.until(lambda: bench.board.get(job.id).progress_total > 0)

    bench.board.cancel(job.id)
    ended = bench.finish(job)

    assert ended.state == "cancelled"
    assert "force" in ended.reason


def test_what_is_no_exception_is_a_failure_like_any_other(bench: Bench, hostile: OperationEntry) -> None:
    job = bench.finish(_submit(bench, hostile, "raises-base"))

    assert (job.state, job.error_kind) == ("failed", "bug")
    assert "neither an error nor an exit" in job.error_message


_HEAD = "from pathlib import Path\nfrom workbench.plugin import JobContext, Param, Params, operation\n"
_TAIL = (
    '@operation("own", title="Own", group="Test", input=None, output=None)\n'
    'def own(job: JobContext, params: Own) -> Path:\n    """Do nothing."""\n    return job.out\n'
)

#: At import, and where the form is made of the parameters: what is wrong, and what is said of it.
_BROKEN = {
    "raises": ("raise ValueError('not today')", "not today"),
    "base_exception": ("raise BaseException('neither')", "ended the process"),
    "leaves": ("import os; os._exit(0)", "ended the process"),
    "exits": ("raise SystemExit('enough')", "enough"),
    "crashes": ("import ctypes; ctypes.string_at(0)", "ended the process"),
    "floods": ("import os\nwhile True:\n    os.write(1, b'x' * 1_000_000)", "printed without end"),
    "default_raises": (
        f"{_HEAD}class Own(Params):\n    size: int = Param(1, help='x')\n"
        "Own.model_fields['size'].default_factory = lambda: 1 / 0\n" + _TAIL,
        "division by zero",
    ),
    "schema_raises": (
        f"{_HEAD}class Own(Params):\n    size: complex = Param(1j, help='x')\n" + _TAIL,
        "no form can show",
    ),
    "metaclass_raises": (
        f"{_HEAD}class Own(Params):\n    size: int = Param('many', help='x', ge='few')\n" + _TAIL,
        "",
    ),
    "offers_nothing": ("print('hello')", "offers nothing"),
}


def test_each_broken_plugin_is_one_line_of_the_catalogue_and_an_honest_one_is_offered(home: Home) -> None:
    for name, (source, _) in _BROKEN.items():
        (home.plugins / f"{name}.py").write_text(source, encoding="utf-8")
    shutil.copy(_PLUGINS / "steps.py", home.plugins)

    contents = Catalogue(home).load()

    reasons = {failure.plugin: failure.reason for failure in contents.failures}
    assert set(reasons) == {f"file:{name}.py" for name in _BROKEN}
    for name, (_, word) in _BROKEN.items():
        assert word in reasons[f"file:{name}.py"]
    assert "steps" in {entry.name for entry in contents.operations}
