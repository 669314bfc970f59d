"""Fine-tuning with PyTorch: it learns, goes on exactly, and fails with words."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from plugins._torch_tuning import Settings, Tuning
from plugins._tuning_schedule import factor
from workbench.data.batches import Plan
from workbench.data.collate import collate
from workbench.data.tokenizing import Recipe, token_set
from workbench.engines.load import open_engine
from workbench.engines.request import GREEDY, AdapterOptions, AdapterUse, LoadOptions, Message, Request
from workbench.engines.wire import Finished
from workbench.errors import OutOfMemoryError, WorkbenchError
from workbench.jobs.events import EventTail, Metric

pytestmark = pytest.mark.timeout(300)
STEPS = 20


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


def test_the_held_out_loss_falls_and_the_adapter_is_a_peft_folder(
    data: Path, tiny_hf: Path, run_plugin: Callable[..., Any]
) -> None:
    ran = run_plugin(
        "finetune-torch",
        tiny_hf,
        data=str(data),
        method="dora",
        steps=30,
        learning_rate=0.01,
        batch_tokens=512,
    )

    assert ran.code == 0
    held_out = series(ran.events, "loss/held-out")
    assert held_out[-1] < held_out[0] - 0.5
    assert len(series(ran.events, "loss/train")) == 30
    assert all(0 <= each < 0.2 for each in series(ran.events, "padding"))
    assert sorted(each.name for each in ran.result.iterdir() if each.suffix != ".md") == [
        "adapter_config.json",
        "adapter_model.safetensors",
        "tuning.json",
    ]
    config = json.loads((ran.result / "adapter_config.json").read_text(encoding="utf-8"))
    assert config["base_model_name_or_path"] == tiny_hf.name
    assert "1 bad rows" in (ran.folder / "log.txt").read_text(encoding="utf-8")


def test_packed_batches_learn_too(data: Path, tiny_hf: Path, run_plugin: Callable[..., Any]) -> None:
    ran = run_plugin(
        "finetune-torch",
        tiny_hf,
        data=str(data),
        steps=30,
        learning_rate=0.01,
        batching="packed",
        max_tokens=256,
        batch_tokens=512,
    )

    assert ran.code == 0
    held_out = series(ran.events, "loss/held-out")
    assert held_out[-1] < held_out[0] - 0.5


def test_an_adapter_changes_what_the_engine_says(
    tmp_path: Path, tiny_hf: Path, run_plugin: Callable[..., Any]
) -> None:
    data = tmp_path / "yes.jsonl"
    rows = [{"prompt": f"What comes after {at}?", "completion": "yes yes yes yes"} for at in range(60)]
    data.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    ran = run_plugin(
        "finetune-torch", tiny_hf, data=str(data), steps=40, learning_rate=0.02, batch_tokens=512, rank=32
    )
    engine = open_engine(
        LoadOptions(
            path=str(tiny_hf),
            format="hf",
            engine="torch",
            context=256,
            parallel=1,
            adapters=(AdapterOptions(name="yes", path=str(ran.result)),),
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
        "steps": STEPS,
        "dropout": 0.1,
        "accumulation": 2,
        "batch_tokens": 256,
        "checkpoint_every": 5,
        "evaluate_every": 4,
    }
    whole = run_plugin("finetune-torch", tiny_hf, data=str(data), **settings)
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
    for name in ("adapter_model.safetensors", "tuning.json"):
        assert (made / name).read_bytes() == (whole.result / name).read_bytes()


def test_wrong_settings_are_refused_before_training(
    data: Path, tiny_hf: Path, run_plugin: Callable[..., Any]
) -> None:
    ran = run_plugin("finetune-torch", tiny_hf, data=str(data), targets="q_proj,nonsense")

    assert ran.code != 0
    assert "nonsense" in ran.error.message


class Job:
    """What a run needs of its job."""

    def __init__(self, folder: Path) -> None:
        self.checkpoints = folder / "checkpoints"
        self.logged: list[str] = []

    def log(self, text: str, **_more: Any) -> None:
        self.logged.append(text)

    def check(self) -> None:
        pass


@pytest.fixture
def tuning(data: Path, tiny_hf: Path, tmp_path: Path) -> Tuning:
    """A run in this process that has not begun."""
    import torch
    from transformers import AutoModelForCausalLM

    tokens = token_set(Recipe(files=(str(data),), tokenizer=str(tiny_hf)), tmp_path / "cache")
    model = AutoModelForCausalLM.from_pretrained(tiny_hf, dtype=torch.float32)
    settings = Settings(Plan(), 1, 1, 1e-3, "constant", 0, 1.0, 1, 1, 0, 7)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    job: Any = Job(tmp_path)
    return Tuning(job, model, optimizer, tokens, np.arange(8), np.arange(0), settings)


def test_a_batch_that_does_not_fit_is_halved_once_and_gives_the_same_gradients(
    tuning: Tuning, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    arrays = [collate(tuning._tokens, tuple((each,) for each in range(6)), 512)]
    plain = tuning._gradients(arrays, arrays[0].learned)
    expected = {name: each.grad.clone() for name, each in tuning._model.named_parameters()}
    computed, largest = tuning._loss, 3

    def short_of_memory(part: Any) -> Any:
        if part.ids.shape[0] > largest:
            raise torch.OutOfMemoryError("no room")
        return computed(part)

    monkeypatch.setattr(tuning, "_loss", short_of_memory)
    assert tuning._gradients(arrays, arrays[0].learned) == pytest.approx(plain, rel=1e-5)
    for name, each in tuning._model.named_parameters():
        torch.testing.assert_close(each.grad, expected[name], rtol=1e-3, atol=1e-5)
    assert ["halved" in said for said in tuning._job.logged] == [True]  # type: ignore[attr-defined]
    largest = 1
    with pytest.raises(OutOfMemoryError, match="6 rows of"):
        tuning._gradients(arrays, arrays[0].learned)


def test_a_loss_that_is_no_number_or_runs_away_ends_the_run_with_advice(tuning: Tuning) -> None:
    for step in range(60):
        tuning._at.step = step
        # One bad batch is no divergence.
        tuning._refuse_divergence(9.0 if step == 30 else 2.0, 1.0)

    with pytest.raises(WorkbenchError, match="no number") as told:
        tuning._refuse_divergence(math.nan, 1.0)
    assert "learning rate" in told.value.remedy
    with pytest.raises(WorkbenchError, match="no number"):
        tuning._refuse_divergence(2.0, math.inf)
    with pytest.raises(WorkbenchError, match="times its lowest"):
        for step in range(60, 120):
            tuning._at.step = step
            tuning._refuse_divergence(9.0, 1.0)


def test_the_rate_rises_and_falls_as_the_schedule_says() -> None:
    for schedule in ("cosine", "linear", "constant"):
        rates = [factor(step, 100, 10, schedule) for step in range(100)]  # type: ignore[arg-type]
        assert rates[0] == 0.1
        assert rates[9] == 1
        assert all(0 < each <= 1 for each in rates)
    assert math.isclose(factor(55, 100, 10, "cosine"), 0.5)
    assert factor(99, 100, 10, "cosine") < 0.001
