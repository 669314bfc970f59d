"""The script of a finished training: `--verify`, its inputs, and what a run leaves behind."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest

from tests.fixtures.script_here import run_here
from workbench.jobs import exits, input_hashes
from workbench.jobs.events import Artifact, EventLog, EventTail, Input, Spec, State, now
from workbench.jobs.expected import exported_script
from workbench.jobs.input_hashes import full_hash
from workbench.jobs.recover import last_event
from workbench.jobs.script import render
from workbench.jobs.spec import JobSpec, ModelInput
from workbench.library.hashing import content_hash

_E = TypeVar("_E", Spec, Input)
pytestmark = pytest.mark.timeout(240)


@dataclass
class Training:
    """A finished fine-tuning, and its script as it is handed over."""

    model: Path
    data: Path
    folder: Path
    script: Path

    def run(self, *words: object, script: Path | None = None) -> int:
        """Run the script as `python job.py` does, but in this process, which has PyTorch loaded by then."""
        return run_here(script or self.script, *words)


@pytest.fixture(scope="module")
def training(tiny_hf: Path, tmp_path_factory: pytest.TempPathFactory) -> Training:
    home = tmp_path_factory.mktemp("training")
    data = home / "examples.jsonl"
    rows = [{"prompt": f"After {at}?", "completion": f"Then {at + 1}."} for at in range(24)]
    data.write_text("\n".join(map(json.dumps, rows)) + "\n", encoding="utf-8")
    values = {"steps": 4, "learning_rate": 0.01, "batch_tokens": 256, "proof": False}
    spec = JobSpec(
        operation="finetune-torch",
        plugin="plugins.finetune_torch",
        title="Fine-tune: tiny",
        model=ModelInput(name="tiny", sha256=content_hash(tiny_hf)),
        params={"data": [str(data)], **values},
        output_name="tuned",
        output_format="adapter",
    )
    folder = home / "job"
    folder.mkdir()
    (folder / "job.py").write_text(render(spec), encoding="utf-8")
    log = EventLog(folder / "events.jsonl")
    log.append(Spec(now(), spec.model_dump(mode="json")))
    log.append(State(now(), "queued"))
    log.close()
    made = Training(tiny_hf, data, folder, home / "job.py")
    code = made.run(
        "--job-dir", folder, "--model", tiny_hf, "--set", f"data={data}", script=folder / "job.py"
    )
    assert code == exits.DONE, (folder / "log.txt").read_text(encoding="utf-8")
    made.script.write_text(exported_script(folder), encoding="utf-8")
    return made


@pytest.fixture(scope="module")
def other(tiny_hf: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same model but for the last bytes of its weights."""
    folder = tmp_path_factory.mktemp("other") / "other"
    shutil.copytree(tiny_hf, folder)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-2] + b"\0\0")
    return folder


def test_verify_agrees_on_the_machine_that_made_it(
    training: Training, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    code = training.run("--verify", "--model", training.model, "--out", tmp_path / "tuned")

    said = capfd.readouterr().out
    assert code == exits.DONE
    assert "loss/train: the same in 4 figures." in said
    assert "result: the same, sha256" in said
    assert "This computer gives the same." in said
    assert list(tmp_path.iterdir()) == []


def test_verify_names_what_another_learning_rate_changes(
    training: Training, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ("--verify", "--model", training.model, "--out", tmp_path / "tuned", "--learning-rate", "0.2")

    code = training.run(*words)

    said = capfd.readouterr().out
    assert code == exits.FAILED
    assert "loss/train: differs by" in said
    assert "(allowed 2%)" in said
    assert "This computer does not give the same" in said
    assert list(tmp_path.iterdir()) == []


def test_verify_on_another_model_says_so_once_and_leaves_nothing(
    training: Training, other: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    code = training.run("--verify", "--any-model", "--model", other, "--out", tmp_path / "tuned")

    said = capfd.readouterr().err
    assert code == exits.FAILED
    assert said.count("figures can't be compared") == 1
    assert list(tmp_path.iterdir()) == []


def test_another_model_is_refused_before_work_and_taken_on_a_word(
    training: Training, other: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ("--model", other, "--out", tmp_path / "tuned")

    refused = training.run(*words)
    said = capfd.readouterr().err
    taken = training.run(*words, "--any-model")

    assert refused == exits.FAILED
    assert "another model than the script was written for" in said
    assert "--any-model" in said
    assert taken == exits.DONE
    assert "is not the same: its sha256 is" in capfd.readouterr().err


def test_what_a_run_told_stays_beside_its_result(training: Training, tmp_path: Path) -> None:
    code = training.run("--model", training.model, "--out", tmp_path / "tuned")

    folder = tmp_path / "tuned.job"
    artifact = last_event(folder, Artifact)
    assert code == exits.DONE
    assert {each.name for each in folder.iterdir()} - {"worker.lock"} == {"events.jsonl", "log.txt"}
    assert artifact is not None
    assert artifact.path == "../tuned"
    assert artifact.sha256 == content_hash(folder / artifact.path)
    assert [type(each) for each in EventTail(folder / "events.jsonl").read()].count(State) == 2


def test_large_file_is_known_by_what_its_job_read(
    training: Training, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A limit of nothing stands for a file above it: no hash when the job is queued, one in its script."""
    monkeypatch.setattr(input_hashes, "_MOST_BYTES", 0)
    spec = JobSpec.model_validate(_first(training.folder, Spec).spec)
    queued = render(spec)
    (tmp_path / "job.py").write_text(queued, encoding="utf-8")
    (tmp_path / "events.jsonl").write_bytes((training.folder / "events.jsonl").read_bytes())
    script = tmp_path / "exported.py"
    script.write_text(exported_script(tmp_path), encoding="utf-8")
    (tmp_path / training.data.name).write_text('{"prompt": "a", "completion": "b"}\n' * 24, encoding="utf-8")

    code = training.run("--model", training.model, "--out", tmp_path / "tuned", script=script)

    assert 'FILES = {"data": [""]}' in queued
    assert f'FILES = {{"data": ["{full_hash(training.data)}"]}}' in script.read_text(encoding="utf-8")
    assert _first(training.folder, Input).sha256s == (full_hash(training.data),)
    assert code == exits.FAILED
    assert "another file than the job was made with" in capfd.readouterr().err


def _first(folder: Path, kind: type[_E]) -> _E:
    return next(each for each in EventTail(folder / "events.jsonl").read() if isinstance(each, kind))
