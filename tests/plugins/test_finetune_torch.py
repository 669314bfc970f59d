"""Fine-tuning with PyTorch: it learns, goes on exactly, and fails with words."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from plugins.finetune_torch import FinetuneTorchParams, finetune_torch
from tests.plugins.here import figures, job_in, model_at
from workbench.engines.load import open_engine
from workbench.engines.request import GREEDY, AdapterOptions, AdapterUse, LoadOptions, Message, Request
from workbench.engines.wire import Finished
from workbench.errors import ParameterError, WorkbenchError
from workbench.jobs.events import EventTail, Metric, Sample

pytestmark = pytest.mark.timeout(300)
STEPS = 20
NAME = "A model"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "examples.jsonl"
    rows = [
        {"prompt": f"What comes after {at}?", "completion": f"After {at} comes the number {at + 1}."}
        for at in range(120)
    ]
    path.write_text("\n".join(map(json.dumps, rows)) + "\nno row\n", encoding="utf-8")
    return path


def series(events: list[Any], name: str) -> list[float]:
    return [each.value for each in events if isinstance(each, Metric) and each.name == name]


def train(folder: Path, model: Path, **settings: Any) -> Path:
    """Fine-tune in this process, which saves the imports of a worker; what it made."""
    named = model_at(model).model_copy(update={"name": NAME})
    return finetune_torch(
        job_in(folder), named, FinetuneTorchParams.model_validate({"proof": False, **settings})
    )


def test_the_held_out_loss_falls_and_the_adapter_is_a_peft_folder(
    data: Path, tiny_hf: Path, run_plugin: Callable[..., Any]
) -> None:
    ran = run_plugin(
        "finetune-torch",
        tiny_hf,
        data=[str(data)],
        method="dora",
        steps=30,
        learning_rate=0.01,
        batch_tokens=512,
        proof=False,
    )

    assert ran.code == 0
    held_out = series(ran.events, "loss/held-out")
    assert held_out[-1] < held_out[0] - 0.5
    assert len(series(ran.events, "loss/train")) == 30
    said = [each for each in ran.events if isinstance(each, Sample)]
    assert {each.step for each in said} == {0, *range(3, 31, 3)}
    assert said[0].prompt.startswith("What comes after ") and said[0].expected.startswith("After ")
    assert all(0 <= each < 0.2 for each in series(ran.events, "padding"))
    assert sorted(each.name for each in ran.result.iterdir() if each.suffix != ".md") == [
        "adapter_config.json",
        "adapter_model.safetensors",
        "tuning.json",
    ]
    config = json.loads((ran.result / "adapter_config.json").read_text(encoding="utf-8"))
    assert config["base_model_name_or_path"] == tiny_hf.name
    measured = json.loads((ran.folder / "measured.json").read_text(encoding="utf-8"))
    assert measured["backend"] == "torch" and measured["seconds"] > 0 and measured["peak_bytes"] > 0
    told = json.loads((ran.result / "tuning.json").read_text(encoding="utf-8"))
    assert told["tokens"] == measured["tokens"] and not {"seconds", "peak_bytes"} & told.keys()
    assert "1 bad row left out" in (ran.folder / "log.txt").read_text(encoding="utf-8")


def test_packed_batches_learn_too(data: Path, tiny_hf: Path, tmp_path: Path) -> None:
    made = train(
        tmp_path / "job",
        tiny_hf,
        data=[data],
        steps=30,
        learning_rate=0.01,
        batching="packed",
        max_tokens=256,
        batch_tokens=512,
    )

    held_out = figures(tmp_path / "job", "loss/held-out")
    assert held_out[30] < held_out[0] - 0.5
    # The model's name: a folder of another name on another machine must not change the result.
    config = json.loads((made / "adapter_config.json").read_text(encoding="utf-8"))
    assert config["base_model_name_or_path"] == NAME


def test_an_adapter_changes_what_the_engine_says(tmp_path: Path, tiny_hf: Path) -> None:
    data = tmp_path / "yes.jsonl"
    rows = [{"prompt": f"What comes after {at}?", "completion": "yes yes yes yes"} for at in range(60)]
    data.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    made = train(
        tmp_path / "job", tiny_hf, data=[data], steps=40, learning_rate=0.02, batch_tokens=512, rank=32
    )
    engine = open_engine(
        LoadOptions(
            path=str(tiny_hf),
            format="hf",
            engine="torch",
            context=256,
            parallel=1,
            adapters=(AdapterOptions(name="yes", path=str(made)),),
        )
    )
    said = {}
    for name, uses in (("base", ()), ("tuned", (AdapterUse(name="yes"),))):
        engine.add(
            Request(
                id=name,
                messages=(Message(role="user", content="What comes after 7?"),),
                sampling=msgspec.structs.replace(GREEDY, max_tokens=12),
                adapters=uses,
            )
        )
        while name not in said:
            for each in engine.step():
                if isinstance(each, Finished):
                    said[name] = each.text
    engine.close()

    assert said["tuned"].strip().startswith("yes yes")
    assert "yes" not in said["base"]


def command(folder: Path, model: Path, data: Path, *more: str) -> list[str]:
    return [
        *(sys.executable, str(folder / "job.py"), "--job-dir", str(folder), "--model", str(model)),
        *("--set", f"data={data}", *more),
    ]


def test_a_killed_run_goes_on_to_the_same_bits(
    data: Path, tiny_hf: Path, run_plugin: Callable[..., Any], tmp_path: Path
) -> None:
    settings = {
        "proof": False,
        "steps": STEPS,
        "dropout": 0.1,
        "accumulation": 2,
        "batch_tokens": 256,
        "checkpoint_every": 5,
        "evaluate_every": 4,
    }
    whole = run_plugin("finetune-torch", tiny_hf, data=[str(data)], **settings)
    assert whole.code == 0
    folder = tmp_path / "killed"
    folder.mkdir()
    shutil.copy(whole.folder / "job.py", folder / "job.py")
    with (folder / "log.txt").open("wb") as log:
        process = subprocess.Popen(
            command(folder, tiny_hf, data), cwd=folder, stdout=log, stderr=subprocess.STDOUT
        )
        tail, steps = EventTail(folder / "events.jsonl"), 0
        deadline = time.monotonic() + 120
        while steps < STEPS // 2 and process.poll() is None and time.monotonic() < deadline:
            steps += len(series(tail.read(1 << 20), "loss/train"))
        process.kill()
        process.wait()
    assert STEPS // 2 <= steps < STEPS
    kept = [each.name for each in (folder / "checkpoints").glob("step-*")]
    assert kept

    code = subprocess.call(command(folder, tiny_hf, data, "--resume"), cwd=folder, stdout=subprocess.DEVNULL)

    assert code == 0
    events = EventTail(folder / "events.jsonl").read(1 << 26)
    assert len(series(events, "loss/train")) < STEPS + STEPS // 2
    made = next((folder / "out").iterdir())
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        assert (made / name).read_bytes() == (whole.result / name).read_bytes()
    figures, expected = (
        json.loads((folder / "tuning.json").read_text(encoding="utf-8")) for folder in (made, whole.result)
    )
    for name in ("steps", "tokens", "held_out_before", "held_out_best", "best_step"):
        assert figures[name] == expected[name]


def test_wrong_settings_are_refused_before_training(data: Path, tiny_hf: Path, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="nonsense"):
        train(tmp_path / "job", tiny_hf, data=[data], targets=["q_proj", "nonsense"])


def test_preferences_need_a_preference_objective(tmp_path: Path, data: Path, tiny_hf: Path) -> None:
    pairs = tmp_path / "pairs.jsonl"
    rows = [{"prompt": f"Count to {at}", "chosen": "one two", "rejected": "no"} for at in range(20)]
    pairs.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")

    with pytest.raises(WorkbenchError, match="objective=dpo"):
        train(tmp_path / "as-answers", tiny_hf, data=[pairs])
    with pytest.raises(WorkbenchError, match="chosen, rejected"):
        train(tmp_path / "without-pairs", tiny_hf, data=[data], objective="dpo")
