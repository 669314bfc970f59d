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
from tests.plugins.tuning_parts import Job
from workbench.errors import MissingExtraError, ParameterError
from workbench.jobs.events import EventTail, Metric
from workbench.jobs.script import render
from workbench.jobs.spec import JobSpec, ModelInput
from workbench.model import Model

pytestmark = pytest.mark.timeout(300)
STEPS = 30
Start = Callable[..., "subprocess.Popen[bytes]"]


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
def start(tmp_path: Path, small_hf: Path) -> Start:
    """Starts a fine-tuning as the script of a job, in a folder of its own."""
    rows = [
        {"prompt": f"What comes after {at}?", "completion": f"After {at} comes {at + 1}." + " yes" * (at % 5)}
        for at in range(60)
    ]
    data = tmp_path / "examples.jsonl"
    data.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")

    def started(name: str, **params: Any) -> subprocess.Popen[bytes]:
        folder = tmp_path / name
        folder.mkdir()
        chosen = {
            "data": [data.name],
            "steps": STEPS,
            "learning_rate": 0.01,
            "batch_tokens": 512,
            "evaluate_every": 10,
            "checkpoint_every": 4,
            "proof": False,
            **params,
        }
        spec = JobSpec(
            operation="finetune-torch",
            plugin="plugins.finetune_torch",
            title="Fine-tune",
            model=ModelInput(name="small"),
            params=chosen,
            seed=3,
            output_name="made",
        )
        (folder / "job.py").write_text(render(spec), encoding="utf-8")
        words = [
            "--job-dir",
            str(folder),
            "--model",
            str(small_hf),
            "--set",
            f"data={data}",
            "--threads",
            "1",
        ]
        with (folder / "log.txt").open("wb") as log:
            return subprocess.Popen(
                [sys.executable, folder / "job.py", *words], stdout=log, stderr=subprocess.STDOUT
            )

    return started


def losses(folder: Path, name: str = "loss/train") -> dict[int, float]:
    """By step, the last one where a step was made twice."""
    events = EventTail(folder / "events.jsonl").read(1 << 26)
    return {each.step or 0: each.value for each in events if isinstance(each, Metric) and each.name == name}


def tensors(file: Path) -> dict[str, Any]:
    from safetensors.numpy import load_file

    return load_file(file)


def test_two_workers_have_the_losses_of_one_though_one_dies(
    cluster: str, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = start("one")
    monkeypatch.setenv("RAY_ADDRESS", cluster)
    together = start("two", workers=2)
    while len(losses(tmp_path / "two")) < 6:
        assert together.poll() is None, (tmp_path / "two" / "log.txt").read_text(encoding="utf-8")
        time.sleep(0.01)
    workers = [each for each in psutil.Process().children(recursive=True) if "TrainWorker" in _title(each)]
    workers[-1].kill()

    assert alone.wait() == 0 and together.wait() == 0
    log = (tmp_path / "two" / "log.txt").read_text(encoding="utf-8")
    assert len(workers) == 2 and log.count("Going on from step") == 1, log
    for name in ("loss/train", "loss/held-out", "gradient norm", "learning rate"):
        one, two = losses(tmp_path / "one", name), losses(tmp_path / "two", name)
        assert one == pytest.approx(two, rel=1e-4), name
    assert len(losses(tmp_path / "two")) == STEPS
    one, two = (
        tensors(tmp_path / each / "out" / "made" / "adapter_model.safetensors") for each in ("one", "two")
    )
    assert one.keys() == two.keys()
    for name, weight in one.items():
        np.testing.assert_allclose(weight, two[name], atol=2e-3, err_msg=name)


def test_split_blocks_learn_what_whole_ones_do(
    cluster: str, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"method": "full", "steps": 6, "optimizer": "sgd", "learning_rate": 0.05}
    alone = start("one", **settings)
    monkeypatch.setenv("RAY_ADDRESS", cluster)
    split = start("split", workers=2, sharding="fsdp", **settings)

    assert alone.wait() == 0
    assert split.wait() == 0, (tmp_path / "split" / "log.txt").read_text(encoding="utf-8")
    assert losses(tmp_path / "one") == pytest.approx(losses(tmp_path / "split"), rel=1e-5)
    one, two = (tensors(tmp_path / each / "out" / "made" / "model.safetensors") for each in ("one", "split"))
    assert one.keys() == two.keys()
    for name, weight in one.items():
        np.testing.assert_allclose(weight, two[name], atol=1e-5, err_msg=name)


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


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
