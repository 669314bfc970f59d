"""Fine-tuning with MLX: it learns, goes on exactly, and what it made is used by both engines."""

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

from tests.plugins.tuning_parts import answers
from workbench.engines.load import open_engine
from workbench.engines.request import GREEDY, AdapterOptions, AdapterUse, LoadOptions, Message, Request
from workbench.engines.wire import Finished
from workbench.jobs.events import EventTail, Metric, Sample

pytestmark = pytest.mark.timeout(400)
STEPS = 20


def series(events: list[Any], name: str) -> list[float]:
    return [each.value for each in events if isinstance(each, Metric) and each.name == name]


def test_the_held_out_loss_falls_and_the_published_adapter_has_it(
    tmp_path: Path, small_hf: Path, run_plugin: Callable[..., Any]
) -> None:
    data = answers(tmp_path / "examples.jsonl")

    ran = run_plugin(
        "finetune-mlx",
        small_hf,
        data=[str(data)],
        method="dora",
        steps=20,
        learning_rate=0.01,
        batch_tokens=256,
        batching="packed",
        max_tokens=128,
        evaluate_every=10,
    )

    assert ran.code == 0, (ran.folder / "log.txt").read_text(encoding="utf-8")
    held_out = series(ran.events, "loss/held-out")
    assert held_out[-1] < held_out[0] - 0.5
    assert len(series(ran.events, "loss/train")) == 20
    assert {each.step for each in ran.events if isinstance(each, Sample)} == {0, 10, 20}
    proof, tuning, config = (
        json.loads((ran.result / each).read_text(encoding="utf-8"))
        for each in ("proof.json", "tuning.json", "adapter_config.json")
    )
    assert tuning["backend"] == "mlx"
    assert proof["held_out"]["before"] == pytest.approx(tuning["held_out_before"], rel=1e-3)
    assert proof["held_out"]["after"] == pytest.approx(tuning["held_out_best"], rel=1e-3)
    assert proof["conditions"]["versions"].keys() == {"mlx", "mlx-lm"}
    assert config["base_model_name_or_path"] == small_hf.name
    measured = json.loads((ran.folder / "measured.json").read_text(encoding="utf-8"))
    assert measured["backend"] == "mlx" and measured["seconds"] > 0 and measured["peak_bytes"] > 0


def test_both_engines_say_what_was_taught(
    tmp_path: Path, small_hf: Path, run_here: Callable[..., Any]
) -> None:
    data = tmp_path / "yes.jsonl"
    rows = [{"prompt": f"What comes after {at}?", "completion": "yes yes yes yes"} for at in range(60)]
    data.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    ran = run_here(
        "finetune-mlx",
        small_hf,
        data=[data],
        method="rslora",
        steps=20,
        learning_rate=0.02,
        batch_tokens=256,
        evaluate_every=20,
        proof=False,
    )

    said: dict[str, dict[str, str]] = {}
    for name in ("mlx", "torch"):
        engine = open_engine(
            LoadOptions(
                path=str(small_hf),
                format="hf",
                engine=name,
                context=256,
                parallel=1,
                adapters=(AdapterOptions(name="yes", path=str(ran.result)),),
            )
        )
        said[name] = {}
        for turn, uses in (
            ("tuned", (AdapterUse(name="yes"),)),
            ("base", ()),
            ("again", (AdapterUse(name="yes"),)),
        ):
            engine.add(
                Request(
                    id=turn,
                    messages=(Message(role="user", content="What comes after 7?"),),
                    sampling=msgspec.structs.replace(GREEDY, max_tokens=12),
                    adapters=uses,
                )
            )
            while turn not in said[name]:
                for each in engine.step():
                    if isinstance(each, Finished):
                        said[name][turn] = each.text
        engine.close()

    assert said["mlx"]["tuned"].strip().startswith("yes yes")
    assert said["mlx"]["again"] == said["mlx"]["tuned"]
    assert "yes yes" not in said["mlx"]["base"]
    assert said["mlx"] == said["torch"]


def command(folder: Path, model: Path, data: Path, *more: str) -> list[str]:
    return [
        *(sys.executable, str(folder / "job.py"), "--job-dir", str(folder), "--model", str(model)),
        *("--set", f"data={data}", *more),
    ]


def test_a_killed_run_goes_on_to_the_same_bits(
    tmp_path: Path, small_hf: Path, run_plugin: Callable[..., Any]
) -> None:
    data = answers(tmp_path / "examples.jsonl")
    settings = {
        "proof": False,
        "steps": STEPS,
        "dropout": 0.1,
        "accumulation": 2,
        "batch_tokens": 128,
        "max_tokens": 64,
        "checkpoint_every": 5,
        "evaluate_every": 8,
    }
    whole = run_plugin("finetune-mlx", small_hf, data=[str(data)], **settings)
    assert whole.code == 0, (whole.folder / "log.txt").read_text(encoding="utf-8")
    folder = tmp_path / "killed"
    folder.mkdir()
    shutil.copy(whole.folder / "job.py", folder / "job.py")
    with (folder / "log.txt").open("wb") as log:
        process = subprocess.Popen(
            command(folder, small_hf, data), cwd=folder, stdout=log, stderr=subprocess.STDOUT
        )
        tail, steps = EventTail(folder / "events.jsonl"), 0
        deadline = time.monotonic() + 180
        while steps < STEPS // 2 and process.poll() is None and time.monotonic() < deadline:
            steps += len(series(tail.read(1 << 20), "loss/train"))
        process.kill()
        process.wait()
    assert STEPS // 2 <= steps < STEPS
    assert list((folder / "checkpoints").glob("step-*"))

    code = subprocess.call(command(folder, small_hf, data, "--resume"), cwd=folder, stdout=subprocess.DEVNULL)

    assert code == 0
    events = EventTail(folder / "events.jsonl").read(1 << 26)
    assert len(series(events, "loss/train")) < STEPS + STEPS // 2
    made = next((folder / "out").iterdir())
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        assert (made / name).read_bytes() == (whole.result / name).read_bytes()
    figures, expected = (
        json.loads((each / "tuning.json").read_text(encoding="utf-8")) for each in (made, whole.result)
    )
    for name in ("steps", "tokens", "held_out_before", "held_out_best", "best_step"):
        assert figures[name] == expected[name]
