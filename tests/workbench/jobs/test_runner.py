"""The way of a job, with real workers: to its end, through every kind of death, across restarts."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from workbench.errors import HomeInUseError, UsageError
from workbench.jobs.build import make_follow_up
from workbench.jobs.events import Artifact, EventTail, Log, Metric, Progress, State
from workbench.jobs.folder import last_log_lines
from workbench.jobs.runner import Runner
from workbench.settings import Preferences

if TYPE_CHECKING:
    from tests.workbench.jobs.conftest import Bench


def _states(bench: Bench, job_id: str) -> list[str]:
    events = EventTail(bench.home.jobs / job_id / "events.jsonl").read(1 << 26)
    return [event.state for event in events if isinstance(event, State)]


def _kill(pid: int) -> None:
    psutil.Process(pid).kill()


def test_finished_job_puts_its_model_into_the_library_under_its_parent(bench: Bench) -> None:
    job = bench.finish(bench.submit())

    assert job.state == "done"
    made = bench.library.get(job.result_model_id or "")
    assert made.parent_id == bench.model.id
    assert made.job_id == job.id
    assert made.sha256 == hashlib.sha256(made.path.read_bytes()).hexdigest()
    assert _states(bench, job.id) == ["queued", "running", "done"]
    assert list((job.folder / "checkpoints").iterdir()) == []


def test_worker_reports_memory_cpu_and_its_own_throughput(bench: Bench) -> None:
    job = bench.finish(bench.submit(steps=60, pause_ms=25))

    events = EventTail(job.folder / "events.jsonl").read(1 << 26)
    names = {event.name for event in events if isinstance(event, Metric)}
    assert {"rss_bytes", "cpu_percent", "throughput", "depth"} <= names
    speed = [e for e in events if isinstance(e, Metric) and e.name == "throughput"]
    assert speed[0].unit == "steps/s"
    assert [e for e in events if isinstance(e, Progress)][-1].done == 60


@pytest.mark.parametrize(
    ("ending", "state", "kind", "word"),
    [
        ("raise", "failed", "bug", "RuntimeError"),
        ("known", "failed", "error", "lead nowhere"),
        ("memory", "failed", "out-of-memory", "memory"),
        ("rubbish", "failed", "plugin", "not a readable model"),
        ("exit", "interrupted", "ended", "exit code 3"),
    ],
)
def test_every_failure_says_what_it_was(bench: Bench, ending: str, state: str, kind: str, word: str) -> None:
    job = bench.finish(bench.submit(ending=ending))

    assert (job.state, job.error_kind) == (state, kind)
    assert word in job.error_message
    assert job.result_model_id is None
    assert list((job.folder / "out").iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="signals decide this elsewhere")
def test_crash_in_native_code_is_decoded_with_the_last_lines_of_the_log(bench: Bench) -> None:
    job = bench.finish(bench.submit(ending="segfault"))

    assert (job.state, job.error_kind) == ("interrupted", "crash")
    assert "SIGSEGV" in job.error_message
    assert "Segmentation fault" in job.error_details


def test_killed_worker_is_tried_once_more_and_then_left(bench: Bench) -> None:
    job = bench.finish(bench.submit(ending="kill"))

    assert job.attempts == 2
    assert job.state == "interrupted"
    assert _states(bench, job.id) == ["queued", "running", "queued", "running", "interrupted"]
    assert list((job.folder / "out").iterdir()) == []


def test_worker_killed_once_goes_on_from_its_checkpoint_by_itself(bench: Bench) -> None:
    job = bench.submit(steps=150, pause_ms=20)
    bench.until_step(job, 5)

    _kill(bench.board.get(job.id).pid or 0)
    done = bench.finish(job)

    assert (done.state, done.attempts) == ("done", 2)
    begins = [line for line in last_log_lines(job.folder) if line.startswith("begins at")]
    assert len(begins) == 2
    assert int(begins[1].rpartition(" ")[2]) >= 5


def test_pause_gives_the_memory_back_and_resume_goes_on_where_it_was(bench: Bench) -> None:
    job = bench.submit(steps=10_000, pause_ms=20)
    bench.until_step(job, 5)
    pid = bench.board.get(job.id).pid or 0

    bench.board.pause(job.id)
    paused = bench.finish(job)

    assert paused.state == "paused"
    assert not psutil.pid_exists(pid)
    kept = job.folder / "checkpoints" / "step"
    assert int(kept.read_text()) >= 5
    kept.write_text("9990")
    bench.board.resume(job.id)
    done = bench.finish(job)
    assert done.state == "done"
    assert "begins at step 9990" in last_log_lines(job.folder)


def test_cancel_throws_away_what_was_made_and_kept(bench: Bench) -> None:
    job = bench.submit(steps=10_000, pause_ms=10)
    bench.until_step(job, 3)

    bench.board.cancel(job.id)
    ended = bench.finish(job)

    assert ended.state == "cancelled"
    assert list((job.folder / "out").iterdir()) == []
    assert list((job.folder / "checkpoints").iterdir()) == []


def test_worker_that_does_not_heed_a_cancel_is_ended_by_force(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workbench.jobs.watch.CANCEL_GRACE_S", 1.0)
    job = bench.submit(steps=1, ending="deaf")
    bench.until_step(job, 1)

    bench.board.cancel(job.id)
    ended = bench.finish(job)

    assert ended.state == "cancelled"
    assert "force" in ended.reason


def test_child_of_a_killed_worker_does_not_live_on(bench: Bench) -> None:
    job = bench.submit(steps=10_000, pause_ms=10, child=True)
    bench.until_step(job, 2)
    events = EventTail(job.folder / "events.jsonl").read(1 << 26)
    said = next(event.text for event in events if isinstance(event, Log) and "child" in event.text)
    child = psutil.Process(int(said.split()[1]))

    _kill(bench.board.get(job.id).pid or 0)
    bench.until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


def test_cpu_jobs_run_one_at_a_time_and_in_order(bench: Bench) -> None:
    first, second, third = (bench.submit(steps=3, pause_ms=30) for _ in range(3))
    bench.board.move(third.id, second.id)

    most = 0

    def all_done() -> bool:
        nonlocal most
        most = max(most, len(bench.runner.running))
        return all(bench.board.get(each.id).state == "done" for each in (first, second, third))

    bench.until(all_done)
    assert most == 1
    started = {each.id: bench.board.get(each.id).started_at or 0 for each in (first, second, third)}
    assert sorted(started, key=lambda job_id: started[job_id]) == [first.id, third.id, second.id]


def test_queue_stops_after_an_error_where_the_person_wants_that(bench: Bench) -> None:
    bench.settings.save(Preferences(go_on_after_error=False))
    bad, good = bench.submit(ending="known"), bench.submit()

    bench.finish(bad)
    for _ in range(40):
        bench.runner.poll()

    assert bench.board.get(good.id).state == "queued"
    bench.board.resume(good.id)
    assert bench.finish(good).state == "done"


def test_restarted_app_finds_a_running_job_and_loses_no_event(bench: Bench) -> None:
    job = bench.submit(steps=80, pause_ms=20)
    bench.until_step(job, 5)
    bench.runner.close()

    bench.runner = bench.new_runner()
    done = bench.finish(job)

    assert (done.state, done.attempts) == ("done", 1)
    seen = [e for u in bench.updates for e in u.events if isinstance(e, Metric) and e.name == "depth"]
    assert [event.step for event in seen] == list(range(80))


def test_restarted_app_finds_a_job_that_ended_meanwhile(bench: Bench) -> None:
    job = bench.submit(steps=5)
    bench.until(lambda: bool(bench.runner.running))
    pid = bench.board.get(job.id).pid or 0
    bench.runner.close()
    psutil.wait_procs([psutil.Process(pid)] if psutil.pid_exists(pid) else [], timeout=30)

    bench.runner = bench.new_runner()

    assert bench.finish(job).state == "done"
    assert bench.board.get(job.id).result_model_id is not None


def test_restarted_app_finds_a_dead_job_interrupted_with_the_end_of_its_log(bench: Bench) -> None:
    job = bench.submit(steps=10_000, pause_ms=10)
    bench.until_step(job, 2)
    bench.runner.close()
    process = psutil.Process(bench.board.get(job.id).pid or 0)
    process.kill()
    psutil.wait_procs([process], timeout=10)

    bench.runner = bench.new_runner()
    ended = bench.finish(job)

    assert ended.state == "interrupted"
    assert "begins at step 0" in ended.error_details
    bench.board.resume(job.id)
    bench.until_step(job, 3)


def test_second_runner_on_a_home_is_refused(bench: Bench) -> None:
    code = (
        "from workbench.home import Home; from workbench.session import Session; from pathlib import Path;"
        f"Session.open(Home(Path({str(bench.home.root)!r})), supervise=True)"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert other.returncode != 0
    assert HomeInUseError.__name__ in other.stderr


def test_jobs_are_found_again_where_the_database_is_lost(bench: Bench) -> None:
    done = bench.finish(bench.submit())
    failed = bench.finish(bench.submit(ending="known"))
    bench.runner.close()
    bench.store.close()
    for each in bench.home.root.glob("tenfold.sqlite3*"):
        each.unlink()

    from workbench.session import Session

    with Session.open(bench.home, supervise=True) as session:
        assert session.board.get(done.id).state == "done"
        assert session.board.get(failed.id).error_message == "The steps lead nowhere."
        assert session.library.get(session.board.get(done.id).result_model_id or "").path.is_file()
    bench.runner = bench.new_runner()


def test_half_written_last_line_costs_only_itself(bench: Bench) -> None:
    job = bench.submit(steps=10_000, pause_ms=10)
    bench.until_step(job, 3)
    _kill(bench.board.get(job.id).pid or 0)
    with (job.folder / "events.jsonl").open("ab") as file:
        file.write(b'{"kind":"metric","t":17')

    bench.until_step(job, 8)
    bench.board.cancel(job.id)

    assert bench.finish(job).state == "cancelled"
    tail = EventTail(job.folder / "events.jsonl")
    assert [e for e in tail.read(1 << 26) if isinstance(e, State)][-1].state == "cancelled"
    assert tail.damaged == 1


def test_exported_script_runs_alone_and_gives_the_same_file(bench: Bench, tmp_path: Path) -> None:
    job = bench.finish(bench.submit())
    made = bench.library.get(job.result_model_id or "")
    script = bench.board.export(job.id, tmp_path / "job.py")
    # A file plugin is looked for beside the script.
    (tmp_path / "steps.py").write_bytes((bench.home.plugins / "steps.py").read_bytes())
    environment = {name: value for name, value in os.environ.items() if name != "TENFOLD_HOME"}

    out = tmp_path / "alone.gguf"
    ended = subprocess.run(
        [sys.executable, script, "--model", bench.model.path, "--out", out],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 0, ended.stderr
    assert out.read_bytes() == made.path.read_bytes()
    assert sorted(each.name for each in tmp_path.glob("alone*")) == ["alone.gguf", "alone.gguf.job"]
    assert str(bench.home.root) not in script.read_text()


def test_script_explains_and_checks_its_flags(bench: Bench, tmp_path: Path) -> None:
    script = bench.home.jobs / bench.submit().id / "job.py"

    helped = subprocess.run([sys.executable, script, "--help"], capture_output=True, text=True, check=False)
    wrong = subprocess.run(
        [sys.executable, script, "--model", bench.model.path, "--steps", "0", "--out", tmp_path / "x.gguf"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert "--steps" in helped.stdout
    assert "--out PATH" in helped.stdout
    assert wrong.returncode == 2
    assert "a whole number from 1 to 100000" in wrong.stderr
    assert not (tmp_path / "x.gguf").exists()


def test_two_workers_never_share_a_folder(bench: Bench) -> None:
    job = bench.submit(steps=10_000, pause_ms=10)
    bench.until_step(job, 2)

    second = subprocess.run(
        [sys.executable, job.folder / "job.py", "--job-dir", job.folder, "--model", bench.model.path],
        capture_output=True,
        text=True,
        check=False,
    )

    assert second.returncode == 1
    assert "at work already" in second.stderr


def test_job_that_keeps_no_checkpoints_is_not_paused(bench: Bench) -> None:
    spec = bench.spec(steps=10_000, pause_ms=10).model_copy(update={"resumable": False})
    job = bench.board.submit(spec)
    bench.until_step(job, 1)

    with pytest.raises(UsageError, match="can't be paused"):
        bench.board.pause(job.id)


def test_missing_model_fails_with_its_name(bench: Bench, tmp_path: Path, tiny_gguf: Path) -> None:
    copy = tmp_path / "gone.gguf"
    copy.write_bytes(tiny_gguf.read_bytes())
    bench.model = bench.library.add(copy, name="gone").record
    job = bench.submit()
    copy.unlink()

    ended = bench.finish(job)

    assert ended.state == "failed"
    assert "gone.gguf" in ended.error_message


def test_polling_an_idle_queue_starts_nothing_and_says_nothing(bench: Bench) -> None:
    assert bench.runner.poll() == []
    assert bench.runner.running == ()


def test_artifact_names_the_file_relative_to_its_job(bench: Bench) -> None:
    job = bench.finish(bench.submit())

    events = EventTail(job.folder / "events.jsonl").read(1 << 26)
    artifact = next(event for event in events if isinstance(event, Artifact))
    assert artifact.path.startswith("out/")
    assert (job.folder / artifact.path).stat().st_size == artifact.size_bytes


def test_signal_is_a_cancel(bench: Bench) -> None:
    if sys.platform == "win32":
        pytest.skip("a worker on Windows has no console to be signalled through")
    job = bench.submit(steps=10_000, pause_ms=10)
    bench.until_step(job, 2)

    os.kill(bench.board.get(job.id).pid or 0, signal.SIGTERM)

    assert bench.finish(job).state == "cancelled"


def test_closed_runner_frees_the_home(bench: Bench) -> None:
    bench.runner.close()

    again = Runner(bench.store, bench.home, bench.library, bench.settings)

    again.close()
    bench.runner = bench.new_runner()


def test_a_job_on_a_jobs_result_is_queued_in_the_moment_it_is_there(bench: Bench) -> None:
    first = bench.spec()
    second = make_follow_up(bench.entry, first, {"steps": 2})
    job = bench.finish(bench.board.submit(first.model_copy(update={"then": (second,)})))

    followed = bench.finish(next(each for each in bench.board.list() if each.id != job.id))
    made = bench.library.get(followed.result_model_id or "")
    assert made.parent_id == job.result_model_id


def test_nothing_follows_on_a_job_that_failed(bench: Bench) -> None:
    first = bench.spec(ending="raise")
    second = make_follow_up(bench.entry, first, {"steps": 2})
    job = bench.finish(bench.board.submit(first.model_copy(update={"then": (second,)})))

    assert job.state == "failed"
    assert [each.id for each in bench.board.list()] == [job.id]
