"""Fine-tuning on several workers of Ray: the losses of one worker, whatever is sharded and whoever dies."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from plugins._distributed_ray import learn_together
from plugins._tuning_params import FinetuneParams
from plugins.finetune_torch import FinetuneTorchParams, finetune_torch
from tests.fixtures.children import command_of
from tests.plugins.here import job_in, model_at
from tests.plugins.tuning_parts import Job
from workbench.errors import MissingExtraError, ParameterError
from workbench.jobs.events import EventTail, Metric
from workbench.jobs.script import render
from workbench.jobs.spec import JobSpec, ModelInput
from workbench.model import Model

pytestmark = pytest.mark.timeout(300)
STEPS = 16
SEED = 3
SETTINGS = {
    "steps": STEPS,
    "learning_rate": 0.01,
    "batch_tokens": 512,
    "evaluate_every": 8,
    "checkpoint_every": 4,
    "proof": False,
}
Start = Callable[..., tuple["subprocess.Popen[bytes]", Path]]


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """A Ray cluster of this machine, for all tests here; its address."""
    ray = pytest.importorskip("ray", reason='no cluster without Ray: pip install "tenfold[ray]"')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        ray.init("local", num_cpus=2, include_dashboard=False, object_store_memory=80_000_000)
        yield ray.get_runtime_context().gcs_address
        ray.shutdown()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "examples.jsonl"
    rows = [
        {"prompt": f"What comes after {at}?", "completion": f"After {at} comes {at + 1}." + " yes" * (at % 5)}
        for at in range(60)
    ]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


@pytest.fixture
def alone(tmp_path: Path, data: Path, small_hf: Path) -> Callable[..., Path]:
    """Trains on one worker, in this process; the folder of its job."""

    def train(**params: Any) -> Path:
        folder = tmp_path / "alone"
        chosen = FinetuneTorchParams.model_validate({**SETTINGS, "data": [data], **params})
        finetune_torch(job_in(folder, seed=SEED), model_at(small_hf), chosen)
        return folder

    return train


@pytest.fixture
def start(tmp_path: Path, data: Path, small_hf: Path) -> Start:
    """Starts a training on two workers as the script of a job; its process, and its folder."""

    def started(**params: Any) -> tuple[subprocess.Popen[bytes], Path]:
        folder = tmp_path / "together"
        folder.mkdir()
        spec = JobSpec(
            operation="finetune-torch",
            plugin="plugins.finetune_torch",
            title="Fine-tune",
            model=ModelInput(name="small"),
            params={**SETTINGS, "data": [data.name], "workers": 2, **params},
            seed=SEED,
            output_name="made",
        )
        script = folder / "job.py"
        script.write_text(render(spec), encoding="utf-8")
        words = ["--job-dir", folder, "--model", small_hf, "--set", f"data={data}", "--threads", "1"]
        with (folder / "log.txt").open("wb") as log:
            process = subprocess.Popen([sys.executable, script, *words], stdout=log, stderr=subprocess.STDOUT)
        return process, folder

    return started


def losses(folder: Path, name: str = "loss/train") -> dict[int, float]:
    """By step, the last one where a step was made twice."""
    events = EventTail(folder / "events.jsonl").read(1 << 26)
    return {each.step or 0: each.value for each in events if isinstance(each, Metric) and each.name == name}


def said(folder: Path) -> str:
    return (folder / "log.txt").read_text(encoding="utf-8")


def agree(one: Path, other: Path, file: str, *, atol: float) -> None:
    """The weights that two jobs made are the same, but for how far apart sums may be."""
    from safetensors.numpy import load_file

    first, second = (load_file(each / "out" / "made" / file) for each in (one, other))
    assert first.keys() == second.keys()
    for name, weight in first.items():
        np.testing.assert_allclose(weight, second[name], atol=atol, err_msg=name)


def test_two_workers_have_the_losses_of_one_though_one_dies(
    cluster: str, start: Start, alone: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", cluster)
    process, together = start()
    while len(losses(together)) < 6:
        assert process.poll() is None, said(together)
        time.sleep(0.01)
    workers = [
        each
        for each in psutil.Process().children(recursive=True)
        if "TrainWorker" in " ".join(command_of(each))
    ]
    workers[-1].kill()
    single = alone()

    assert process.wait() == 0, said(together)
    assert len(workers) == 2 and said(together).count("Going on from step") == 1, said(together)
    for name in ("loss/train", "loss/held-out", "gradient norm", "learning rate"):
        assert losses(single, name) == pytest.approx(losses(together, name), rel=1e-4), name
    assert len(losses(together)) == STEPS
    agree(single, together, "adapter_model.safetensors", atol=2e-3)


def test_split_blocks_learn_what_whole_ones_do(
    cluster: str, start: Start, alone: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"method": "full", "steps": 6, "optimizer": "sgd", "learning_rate": 0.05}
    monkeypatch.setenv("RAY_ADDRESS", cluster)
    process, split = start(sharding="fsdp", **settings)
    single = alone(**settings)

    assert process.wait() == 0, said(split)
    assert losses(single) == pytest.approx(losses(split), rel=1e-5)
    agree(single, split, "model.safetensors", atol=1e-5)


def test_a_base_in_four_bits_is_not_split(tmp_path: Path) -> None:
    params = FinetuneParams(data=[Path("examples.jsonl")], method="qlora")

    with pytest.raises(ParameterError, match="4 bits"):
        learn_together(Job(tmp_path), _model(tmp_path), params, 2, "fsdp")


def test_without_ray_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    params = FinetuneParams(data=[Path("examples.jsonl")])

    with pytest.raises(MissingExtraError, match=r"tenfold\[ray\]"):
        learn_together(Job(tmp_path), _model(tmp_path), params, 2, "ddp")


def _model(path: Path) -> Model:
    return Model.model_construct(path=path, name="none", sha256=None, facts=None)
