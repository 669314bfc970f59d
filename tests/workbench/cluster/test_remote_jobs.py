"""Jobs on a real cluster: the same results as here, whatever dies or breaks on the way."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.fixtures.children import command_of
from tests.fixtures.cut_line import CutLine
from tests.fixtures.entries import shipped
from workbench.cluster.submission import read_submission
from workbench.home import Home
from workbench.jobs.events import Artifact, Log, Metric
from workbench.jobs.records import JobRecord
from workbench.library.hashing import content_hash

if TYPE_CHECKING:
    from tests.workbench.cluster.conftest import Bench, Lab

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="Ray has clusters of several nodes on Linux alone"),
    pytest.mark.timeout(400),
]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home without a catalogue: nothing here asks for one, and to make it takes a minute of the suite's."""
    monkeypatch.setenv("TENFOLD_HOME", str(tmp_path / "home"))
    return Home(tmp_path / "home").create()


ROWS = "\n".join(f'{{"prompt": "What is {n} plus 1?", "completion": "{n + 1}"}}' for n in range(24))


def _hash(bench: Bench, job: JobRecord) -> str:
    """The sha256 of what a job made; of an adapter its weights', as it also holds what its training took."""
    made = next(each for each in bench.events(job) if isinstance(each, Artifact))
    path = job.folder / made.path
    return content_hash(path / "adapter_model.safetensors", ()) if path.is_dir() else made.sha256


def _depths(bench: Bench, job: JobRecord) -> list[float]:
    return [e.value for e in bench.events(job) if isinstance(e, Metric) and e.name == "depth"]


def _says(bench: Bench, job: JobRecord, words: str) -> bool:
    return any(isinstance(each, Log) and words in each.text for each in bench.events(job))


def _beginnings(bench: Bench, job: JobRecord) -> list[int]:
    """The steps that the job began at, once for each time that it was started."""
    said = (each.text for each in bench.events(job) if isinstance(each, Log))
    return [int(text.rpartition(" ")[2]) for text in said if text.startswith("begins at step")]


def _kill_the_job_itself(lab: Lab, job: JobRecord) -> None:
    """End `job.py` on its node, and not who watches over it there."""
    for process in lab.processes_of(f"tenfold-{job.id}"):
        if Path(*command_of(process)[1:2]).name == "job.py":
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()


def _nothing_is_left(lab: Lab, job: JobRecord) -> None:
    """No process of the job is at work, and no file of it lies on a node."""
    left = lab.processes_of(job.id)
    _, alive = psutil.wait_procs(left, timeout=20)
    assert not alive, [command_of(each) for each in alive]
    folders = list(lab.folder.glob(f"session_2*/logs/tenfold-{job.id}-*"))
    assert not folders, folders


def test_quantizing_and_training_there_give_the_same_bits_as_here(
    lab: Lab, bench: Bench, tiny_gguf: Path, tiny_hf: Path, tmp_path: Path
) -> None:
    bench.add_place(lab.address)
    data = tmp_path / "rows.jsonl"
    data.write_text(ROWS)
    gguf, hf = bench.library.add(tiny_gguf).record, bench.library.add(tiny_hf).record
    training = {"data": [str(data)], "steps": 2, "rank": 2, "proof": False, "precision": "float32"}
    for name, model, values in (
        ("gguf-quantize", gguf, {"type": "Q8_0"}),
        ("finetune-torch", hf, training),
    ):
        entry = shipped(f"plugins.{name.replace('-', '_')}", name)
        both = [bench.board.submit(bench.spec(entry, model, values, place)) for place in ("", "lab")]
        here, there = (bench.finish(each) for each in both)

        assert (here.state, there.state) == ("done", "done"), there.error_message
        assert _hash(bench, here) == _hash(bench, there)
        made = bench.library.get(there.result_model_id or "")
        assert made.parent_id == model.id
        assert made.path.is_relative_to(there.folder)
        assert {e.name for e in bench.events(there) if isinstance(e, Metric)} >= {"rss_bytes", "cpu_percent"}
        _nothing_is_left(lab, there)
        print(f"{name}: {_hash(bench, there)} here and in the cluster")


def test_a_cut_line_and_a_full_queue_lose_nothing(lab: Lab, bench: Bench, tiny_gguf: Path) -> None:
    line = CutLine(lab.port)
    bench.add_place(f"http://127.0.0.1:{line.port}", cpus=2)
    try:
        first = bench.steps(tiny_gguf, steps=240, pause_ms=50)
        bench.until_progress(first, 5)
        second = bench.steps(tiny_gguf, steps=3)
        bench.until_reason(second, "Queued on lab")
        line.cut()
        bench.until_reason(first, "Connection to lab lost, trying again")
        line.mend()
        first, second = bench.finish(first), bench.finish(second)
    finally:
        line.cut()

    assert (first.state, second.state) == ("done", "done")
    assert _depths(bench, first) == list(range(240))
    assert _says(bench, first, "can be reached again")
    assert _hash(bench, first) == _hash(bench, second)
    for job in (first, second):
        _nothing_is_left(lab, job)
    print(f"240 of 240 steps came through a line that was cut; the second job waited for {second.title!r}")


def test_the_app_may_close_and_finds_the_job_again(lab: Lab, bench: Bench, tiny_gguf: Path) -> None:
    bench.add_place(lab.address, cpus=2)
    job = bench.steps(tiny_gguf, steps=100, pause_ms=50)
    bench.until_progress(job, 3)
    follower = bench.board.get(job.id).pid or 0
    submission = read_submission(job.folder)

    bench.runner.close()
    psutil.Process(follower).kill()
    bench.runner = bench.new_runner()
    job = bench.finish(job)

    assert job.state == "done"
    assert _depths(bench, job) == list(range(100))
    after = read_submission(job.folder)
    assert submission is not None and after is not None and after.id == submission.id
    _nothing_is_left(lab, job)
    print(f"{after.id} was found again after {job.attempts} starts here; none of 100 steps came twice")


def test_a_killed_worker_a_pause_and_a_cancel(lab: Lab, bench: Bench, tiny_gguf: Path) -> None:
    bench.add_place(lab.address, cpus=2)
    job = bench.steps(tiny_gguf, steps=3000, pause_ms=50)
    bench.until_progress(job, 5)
    _kill_the_job_itself(lab, job)
    bench.until(lambda: len(_beginnings(bench, job)) == 2)
    assert bench.board.get(job.id).attempts == 2
    bench.until_progress(job, _beginnings(bench, job)[1] + 5)

    bench.board.pause(job.id)
    paused = bench.finish(job)
    kept = int((job.folder / "checkpoints" / "step").read_text())
    assert paused.state == "paused"
    _nothing_is_left(lab, paused)
    bench.board.resume(job.id)
    bench.until(lambda: len(_beginnings(bench, job)) == 3)

    bench.board.cancel(job.id)
    job = bench.finish(job)
    begun = _beginnings(bench, job)
    assert job.state == "cancelled"
    assert 0 == begun[0] < begun[1] < begun[2] == kept
    assert list((job.folder / "checkpoints").iterdir()) == []
    _nothing_is_left(lab, job)
    print(f"begun at {begun}: killed and tried again, paused and resumed, cancelled; nothing is left")


def test_a_node_that_dies_is_replaced_by_another(
    lab: Lab, bench: Bench, tiny_gguf: Path, tmp_path: Path
) -> None:
    shared = {"local": str(tmp_path / "shared"), "remote": str(tmp_path / "shared")}
    bench.add_place(lab.address, cpus=2, folder=str(tmp_path / "shared"), shared=[shared])
    job = bench.steps(tiny_gguf, steps=160, pause_ms=50)
    bench.until_progress(job, 10)
    lab.kill_node()
    bench.until(lambda: _says(bench, job, "is gone. Trying once more"))
    lab.add_node()
    job = bench.finish(job)

    assert job.state == "done"
    begun = _beginnings(bench, job)
    assert len(begun) == 2 and begun[1] >= 10, (begun, read_submission(job.folder))
    assert _depths(bench, job)[-1] == 159
    assert list((tmp_path / "shared").glob("*")) == []
    print(f"the second node began at step {begun[1]}, from the checkpoints in the shared folder")
