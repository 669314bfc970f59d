from __future__ import annotations

from typing import Any

import pytest

from workbench.model import ModelFacts
from workbench.tuning.choices import TuningChoices
from workbench.tuning.pace import Pass, PastRun, pace_of, training_flops

WHAT = Pass(tokens=1000, learned=400, mean_length=80)


def flops(facts: ModelFacts, what: Pass = WHAT, **choices: Any) -> float:
    return training_flops(facts, TuningChoices(**choices), what)


def test_training_all_weights_takes_six_operations_a_weight_and_token(llama8b: ModelFacts) -> None:
    in_blocks = llama8b.parameters - 2 * 128_256 * 4096
    nothing_learned = Pass(tokens=1000, learned=0, mean_length=0)

    assert flops(llama8b, nothing_learned, method="full") == pytest.approx(6 * in_blocks * 1000, rel=0.01)
    # No gradients of the weights: four. They come with a little for the adapter itself.
    assert flops(llama8b, nothing_learned) == pytest.approx(4 * in_blocks * 1000, rel=0.03)


def test_more_work_takes_more_operations(smollm: ModelFacts) -> None:
    usual = flops(smollm)

    assert flops(smollm, gradient_checkpointing=True) == pytest.approx(1.5 * usual, rel=0.2)
    assert flops(smollm, Pass(tokens=1000, learned=1000, mean_length=80)) > usual
    assert flops(smollm, Pass(tokens=1000, learned=400, mean_length=2000)) > usual
    assert flops(smollm, layers="20-29") < 0.75 * usual
    assert flops(smollm, method="dora") > usual
    assert flops(smollm, method="full", only="norms") < flops(smollm, method="full")


def test_an_expert_that_does_not_take_part_costs_nothing(llama8b: ModelFacts) -> None:
    experts = llama8b.groups[2].model_copy(update={"name": "experts"})
    groups = (*llama8b.groups[:2], experts, *llama8b.groups[3:])
    mixture = llama8b.model_copy(update={"groups": groups, "experts": 8, "experts_used": 2})

    assert flops(mixture) < flops(llama8b) / 2


def test_the_time_comes_from_runs_where_there_are_any(smollm: ModelFacts) -> None:
    choices = TuningChoices()

    def pace(flops: float | None, *runs: PastRun) -> Any:
        return pace_of(smollm, choices, WHAT, "torch", machine_flops=flops, runs=runs)

    def ran(flops: float, backend: Any = "torch", method: str = "lora") -> PastRun:
        return PastRun(backend=backend, method=method, flops=flops, expected_bytes=1, measured_bytes=1)

    assert pace(None) is None
    guessed, learnt = pace(1e11), pace(1e11, ran(2e10), ran(3e10), ran(9e10))
    assert "multiplies matrices" in guessed.basis
    assert learnt.basis == "from 3 runs on this machine"
    assert learnt.seconds == pytest.approx(flops(smollm) / 3e10)
    assert learnt.tokens_per_second == pytest.approx(1000 / learnt.seconds)
    # Another backend says nothing; another method only where there is none of this one.
    assert pace(1e11, ran(1e9, backend="mlx")).basis == guessed.basis
    assert pace(1e11, ran(2e10), ran(9e10, method="full")).seconds == pytest.approx(flops(smollm) / 2e10)
    assert pace(1e11, ran(9e10, method="full")).basis == "from 1 run on this machine"
