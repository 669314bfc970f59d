"""The proof of a fine-tune: what was learned and forgotten, measured on the files that were published."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.plugins.tuning_parts import answers

pytestmark = pytest.mark.timeout(300)


def test_the_published_adapter_has_the_loss_that_the_training_saw(
    tmp_path: Path, tiny_hf: Path, run_plugin: Callable[..., Any]
) -> None:
    data = answers(tmp_path / "examples.jsonl")

    ran = run_plugin("finetune-torch", tiny_hf, data=[str(data)], steps=10, learning_rate=0.01)

    assert ran.code == 0
    proof = json.loads((ran.result / "proof.json").read_text(encoding="utf-8"))
    tuning = json.loads((ran.result / "tuning.json").read_text(encoding="utf-8"))
    assert proof["held_out"]["before"] == pytest.approx(tuning["held_out_before"], rel=1e-3)
    assert proof["held_out"]["after"] == pytest.approx(tuning["held_out_best"], rel=1e-3)
