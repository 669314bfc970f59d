"""The script of a fine-tuning under `mlx.launch`: two processes have the losses of one."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workbench.jobs.ranks import folder_of_leader, folder_of_rank, launch_rank
from workbench.jobs.script import render
from workbench.jobs.spec import JobSpec, ModelInput

pytestmark = pytest.mark.timeout(240)
_LAUNCH = Path(sys.executable).parent / "mlx.launch"


@pytest.mark.skipif(not _LAUNCH.exists(), reason="mlx.launch, which comes with MLX, is not installed")
def test_two_processes_have_the_losses_of_one(tmp_path: Path, small_hf: Path) -> None:
    data = tmp_path / "examples.jsonl"
    rows = [
        {"prompt": f"What comes after {at}?", "completion": f"After {at} comes {at + 1}." + " yes" * (at % 5)}
        for at in range(40)
    ]
    data.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")

    one = _trained(tmp_path / "one", small_hf, data, [sys.executable])
    launched = [str(_LAUNCH), "-n", "2", "--backend", "ring", "--python", sys.executable]
    two = _trained(tmp_path / "two", small_hf, data, launched)

    assert one["steps"] == two["steps"] == 4
    for name in ("held_out_before", "held_out_after", "held_out_best"):
        assert two[name] == pytest.approx(one[name], rel=1e-4), name
    assert one["held_out_after"] < one["held_out_before"] - 0.1
    for name, weight in _tensors(tmp_path / "one" / "made").items():
        np.testing.assert_allclose(weight, _tensors(tmp_path / "two" / "made")[name], atol=2e-3, err_msg=name)
    # What the second process made is gone with its folder; the first one's tells what was done.
    assert sorted(each.name for each in (tmp_path / "two").iterdir()) == ["job.py", "made", "made.job"]


def test_only_the_first_process_has_the_jobs_own_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "made.job"
    assert launch_rank() == 0 and folder_of_rank(folder, 0) == folder == folder_of_leader(folder)

    monkeypatch.setenv("MLX_RANK", "2")

    own = folder_of_rank(folder, launch_rank())
    assert own != folder and own.parent == folder.parent
    assert folder_of_leader(own) == folder


def _trained(folder: Path, model: Path, data: Path, start: list[str]) -> dict[str, Any]:
    """What the figures of a run say."""
    folder.mkdir()
    params = {
        "data": [data.name],
        "steps": 4,
        "learning_rate": 0.01,
        "batch_tokens": 256,
        "evaluate_every": 2,
        "checkpoint_every": 2,
        "sample_prompts": ["yes"],
        "proof": False,
    }
    spec = JobSpec(
        operation="finetune-mlx",
        plugin="plugins.finetune_mlx",
        title="Fine-tune",
        model=ModelInput(name="small"),
        params=params,
        seed=3,
        output_name="made",
    )
    script = folder / "job.py"
    script.write_text(render(spec), encoding="utf-8")
    words = ["--model", str(model), "--out", str(folder / "made"), "--set", f"data={data}"]
    ran = subprocess.run(
        [*start, str(script), *words], cwd=folder, capture_output=True, text=True, timeout=200
    )
    assert ran.returncode == 0 and (folder / "made").is_dir(), re.sub(r"\x1b\S+", "", ran.stdout + ran.stderr)
    found: dict[str, Any] = json.loads((folder / "made" / "tuning.json").read_text(encoding="utf-8"))
    return found


def _tensors(folder: Path) -> dict[str, Any]:
    from safetensors.numpy import load_file

    return load_file(folder / "adapter_model.safetensors")
