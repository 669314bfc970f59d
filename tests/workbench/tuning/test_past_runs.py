from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from workbench.errors import NotFoundError
from workbench.model import ModelFacts
from workbench.tuning.choices import TuningChoices
from workbench.tuning.memory import tuning_memory
from workbench.tuning.past_runs import FinishedJob, corrected, past_runs

FIGURES = {
    "schema": 1,
    "backend": "torch",
    "method": "dora",
    "tokens": 9000,
    "seconds": 60.0,
    "peak_bytes": 10**9,
}


def job(folder: Path, facts: ModelFacts, figures: object = FIGURES, params: Any = None) -> FinishedJob:
    folder.mkdir(parents=True)
    (folder / "measured.json").write_text(json.dumps(figures), encoding="utf-8")

    def read() -> tuple[Mapping[str, Any], ModelFacts]:
        return params or {"method": "dora", "rank": 8, "data": ["a.jsonl"]}, facts

    return FinishedJob(folder=folder, read=read)


def gone(folder: Path, facts: ModelFacts) -> FinishedJob:
    def read() -> tuple[Mapping[str, Any], ModelFacts]:
        raise NotFoundError("There is no such model.")

    return FinishedJob(folder=job(folder, facts).folder, read=read)


def test_trainings_are_found_among_all_jobs(tmp_path: Path, smollm: ModelFacts) -> None:
    other = FinishedJob(folder=tmp_path / "none", read=lambda: pytest.fail("no training"))
    jobs = [
        other,
        job(tmp_path / "a", smollm),
        gone(tmp_path / "b", smollm),
        job(tmp_path / "c", smollm, {**FIGURES, "tokens": "many"}),
        job(tmp_path / "d", smollm, {**FIGURES, "seconds": 0.5}),
        job(tmp_path / "e", smollm, params={"method": "witchcraft"}),
        job(tmp_path / "f", smollm, {**FIGURES, "tokens": 18_000}),
    ]

    first, second = past_runs(jobs, is_gpu=False)

    assert (first.backend, first.method, first.measured_bytes) == ("torch", "dora", 10**9)
    assert second.flops == pytest.approx(2 * first.flops)
    expected = tuning_memory(smollm, TuningChoices(method="dora", rank=8), "torch")
    assert first.expected_bytes == expected.total_bytes


def test_runs_of_older_versions_say_what_they_took_beside_their_result(
    tmp_path: Path, smollm: ModelFacts
) -> None:
    run = job(tmp_path / "a", smollm)
    (run.folder / "out" / "made").mkdir(parents=True)
    (run.folder / "measured.json").rename(run.folder / "out" / "made" / "tuning.json")

    assert [each.measured_bytes for each in past_runs([run], is_gpu=False)] == [10**9]


def test_an_estimate_learns_from_runs_of_its_own_kind(tmp_path: Path, smollm: ModelFacts) -> None:
    run = past_runs([job(tmp_path / "a", smollm)], is_gpu=False)[0]
    memory = tuning_memory(smollm, TuningChoices(method="dora"), "torch")
    ten_percent_more = msgspec.structs.replace(run, measured_bytes=round(1.1 * run.expected_bytes))

    found = corrected(memory, "torch", "dora", (ten_percent_more,))

    assert found.total_bytes == pytest.approx(1.1 * memory.total_bytes)
    assert found.weights_bytes == memory.weights_bytes
    assert corrected(memory, "torch", "lora", (ten_percent_more,)) == memory
    assert corrected(memory, "mlx", "dora", (ten_percent_more,)) == memory
