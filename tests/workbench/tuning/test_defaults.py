from __future__ import annotations

from typing import Any

import pytest

from workbench.data.report import DataReport, SideReport
from workbench.model import ModelFacts
from workbench.tuning.choices import TuningChoices, choices_of
from workbench.tuning.defaults import good_defaults
from workbench.tuning.estimate import tuning_estimate
from workbench.tuning.memory import Room, tuning_memory

RAM_24 = Room(name="Memory", total_bytes=24 * 10**9, free_bytes=20 * 10**9, is_gpu=False)


def gpu(gigabytes: float) -> Room:
    return Room(name="GPU", total_bytes=int(gigabytes * 1e9), free_bytes=int(gigabytes * 1e9), is_gpu=True)


def report(
    rows: int = 300, mean: int = 80, most: int = 200, *, kind: str = "chat", held_out: int = 30
) -> Any:
    tokens = rows * mean
    return DataReport(
        kind=kind,
        files=(),
        rows=rows + held_out,
        bad=0,
        tokens=tokens,
        trained=tokens // 2,
        masked_share=0.5,
        longest=2 * most,
        percentiles={"50": mean, "99": most},
        limit=1024,
        cut_rows=0,
        cut_share=0.0,
        left_out=0,
        train=SideReport(rows=rows, tokens=tokens, learned=tokens // 2),
        evaluation=SideReport(rows=held_out, tokens=held_out * mean, learned=held_out * mean // 2),
        held_out=held_out,
        same_rows=0,
        alike_rows=0,
        alike_across=0,
        alike_of=rows,
        histogram=(),
        edges=(),
        long_rows=(),
        alike=(),
        bad_rows=(),
        refused=(),
    )


def values(facts: ModelFacts, data: DataReport, room: Room, backend: Any = "torch") -> dict[str, Any]:
    return {each.name: each.value for each in good_defaults(facts, data, room, backend=backend)}


def test_every_default_is_a_parameter_with_a_reason(smollm: ModelFacts) -> None:
    from plugins._tuning_params import FinetuneParams

    for data in (report(), report(kind="preference"), report(rows=100_000)):
        found = good_defaults(smollm, data, RAM_24, backend="torch")

        assert len({each.name for each in found}) == len(found)
        assert all(each.reason.endswith(".") and len(each.reason) > 20 for each in found)
        checked = FinetuneParams(data=["a.jsonl"], **{each.name: each.value for each in found})
        assert checked.rank == dict((each.name, each.value) for each in found).get("rank", checked.rank)


def test_a_small_set_on_a_small_model_gets_a_small_adapter_seen_often(smollm: ModelFacts) -> None:
    found = values(smollm, report(), RAM_24)

    assert (found["method"], found["rank"], found["epochs"]) == ("lora", 8, 4.0)
    assert found["alpha"] == 2 * found["rank"]
    assert found["max_tokens"] == 256
    assert found["gradient_checkpointing"] is False
    assert found["batching"] == "buckets"
    large = values(smollm, report(rows=100_000), gpu(8))
    assert large["rank"] > found["rank"]
    assert large["epochs"] < found["epochs"]


def test_the_longest_length_covers_99_of_100_examples_and_no_more_than_the_model_does(
    smollm: ModelFacts,
) -> None:
    assert values(smollm, report(most=1000), RAM_24)["max_tokens"] == 1024
    assert values(smollm, report(mean=5000, most=20_000), RAM_24)["max_tokens"] == 8192


def test_the_method_follows_the_memory(smollm: ModelFacts, llama8b: ModelFacts) -> None:
    assert values(llama8b, report(), gpu(80))["method"] == "lora"
    small = values(llama8b, report(), gpu(16))
    assert small["method"] == "qlora"
    # All weights where there is much to learn and much room.
    assert values(smollm, report(rows=20_000), gpu(80))["method"] == "full"
    assert values(smollm, report(rows=200), gpu(80))["method"] == "lora"
    assert values(llama8b, report(rows=20_000), gpu(80))["method"] == "lora"


@pytest.mark.parametrize("room", [gpu(80), gpu(24), RAM_24])
def test_what_is_advised_fits_where_anything_does(
    smollm: ModelFacts, llama8b: ModelFacts, room: Room
) -> None:
    for facts in (smollm, llama8b):
        for data in (report(), report(mean=700, most=4000), report(kind="preference")):
            choices = choices_of(values(facts, data, room))
            need = tuning_memory(facts, choices, "torch", is_gpu=room.is_gpu)
            least = tuning_memory(
                facts,
                TuningChoices(
                    method="qlora" if room.is_gpu else "lora",
                    batch_tokens=choices.max_tokens,
                    max_tokens=choices.max_tokens,
                    gradient_checkpointing=True,
                ),
                "torch",
                is_gpu=room.is_gpu,
            )
            assert need.total_bytes <= room.free_bytes or least.total_bytes > 0.85 * room.free_bytes


def test_an_adapter_learns_ten_times_as_fast_and_a_larger_model_slower(
    smollm: ModelFacts, llama8b: ModelFacts
) -> None:
    full = values(smollm, report(rows=20_000), gpu(80))["learning_rate"]
    lora = values(smollm, report(), gpu(80))["learning_rate"]

    assert lora == pytest.approx(10 * full, rel=0.3)
    assert values(llama8b, report(), gpu(80))["learning_rate"] < lora
    assert values(smollm, report(kind="preference"), RAM_24)["learning_rate"] < full


def test_nothing_held_out_means_no_early_end(smollm: ModelFacts) -> None:
    assert values(smollm, report(held_out=0), RAM_24)["patience"] == 0
    assert values(smollm, report(), RAM_24)["patience"] > 0


def test_an_estimate_has_every_method_and_the_time_of_an_epoch(smollm: ModelFacts) -> None:
    data = report()
    choices = choices_of(values(smollm, data, RAM_24))
    found = tuning_estimate(smollm, data, choices, "torch", RAM_24, machine_flops=1e11)

    assert [each.method for each in found.memory] == ["lora", "rslora", "dora", "qlora", "full"]
    assert found.of("lora").memory.total_bytes < found.of("full").memory.total_bytes
    assert found.of("full").fits
    assert found.epoch is not None
    assert found.epoch.seconds * found.epoch.tokens_per_second == pytest.approx(data.train.tokens)
    cramped = tuning_estimate(smollm, data, choices, "torch", gpu(0.5), machine_flops=None)
    assert not cramped.of("full").fits
    assert cramped.epoch is None
