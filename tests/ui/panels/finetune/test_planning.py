"""What a start would do, from what was chosen and what was found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ui.panels.finetune.data_answer import DataAnswer
from ui.panels.finetune.data_choice import DataChoice
from ui.panels.finetune.planning import Situation, plan_of, trains, updates_of, usable
from workbench.catalogue_entry import OperationEntry
from workbench.data.report import SideReport
from workbench.library.inspect import inspect
from workbench.library.records import ModelRecord
from workbench.model import ModelFacts
from workbench.params import FieldSpec
from workbench.tuning.choices import TuningChoices
from workbench.tuning.estimate import tuning_estimate
from workbench.tuning.memory import Room

_ROOM = Room(name="Memory", total_bytes=16_000_000_000, free_bytes=8_000_000_000, is_gpu=False)
_VALUES: dict[str, Any] = {
    "method": "lora",
    "rank": 8,
    "epochs": 3.0,
    "batch_tokens": 1000,
    "accumulation": 2,
}


def _entry(name: str = "finetune-torch", backend: str = "", **more: Any) -> OperationEntry:
    fields = tuple(
        FieldSpec(name=each, title=each, kind="text") for each in ("data", "held_out", "max_tokens", "epochs")
    )
    given: dict[str, Any] = {
        "name": name, "title": name, "group": "Fine-tune", "summary": "", "documentation": "", "input": "hf",
        "output": "any", "needs": "cpu", "backend": backend, "applies": (), "advised": (), "before": (),
        "after": (), "excludes": (), "lossless": False, "label": "", "origin": "", "resumable": True,
        "restarts": False, "api_version": "1.0", "fields": fields, "plugin": "p", "source": "s",
        "digest": "d",
    }  # fmt: skip
    return OperationEntry.model_validate(given | more)


def _record() -> ModelRecord:
    return ModelRecord(
        id="m", name="tiny", path=Path("tiny"), format="hf", architecture="llama", quantization="BF16",
        parameters=1, bits_per_weight=16, size_bytes=1, sha256=None, in_place=True, source="file",
        parent_id=None, job_id=None, tags=(), notes="", created_at=0,
    )  # fmt: skip


def _answer(facts: ModelFacts, **more: Any) -> DataAnswer:
    made = DataAnswer(
        kind="chat", files=(), rows=320, bad=0, tokens=50_000, trained=20_000, masked_share=0.6, longest=200,
        percentiles={"50": 90, "95": 150, "99": 190}, limit=256, cut_rows=0, cut_share=0.0, left_out=0,
        train=SideReport(rows=300, tokens=40_000, learned=18_000),
        evaluation=SideReport(rows=20, tokens=4_000, learned=2_000), held_out=20, same_rows=0, alike_rows=0,
        alike_across=0, alike_of=320, histogram=(1,), edges=(0, 256), long_rows=(), alike=(), bad_rows=(),
        refused=(),
    )  # fmt: skip
    estimate = tuning_estimate(facts, made, TuningChoices(), "torch", _ROOM, machine_flops=1e10)
    return msgspec.structs.replace(made, estimate=estimate, **more)


@pytest.fixture
def situation(tiny_hf: Path) -> Situation:
    facts = inspect(tiny_hf)
    return Situation(
        record=_record(),
        facts=facts,
        entry=_entry(),
        choice=DataChoice().with_files([Path("rows.jsonl")]),
        answer=_answer(facts),
        is_reading=False,
        values=_VALUES,
        output_name="tiny-lora",
        room=_ROOM,
    )


def test_a_plan_says_what_is_learned_how_often_and_how_long_it_takes(situation: Situation) -> None:
    plan = plan_of(situation)

    rows = {title: (text, basis) for title, text, basis in plan.rows}
    assert plan.may_start
    assert plan.notice is None
    assert "300 examples" in plan.sentence
    assert "LoRA adapter of rank 8" in plan.sentence
    assert rows["Updates"][0] == "about 60 · 3 epochs"
    assert rows["Evaluated"][0] == "20 examples"
    assert "Time" in rows
    assert plan.basis == "Time and speed: estimated from how fast this machine multiplies matrices."
    assert plan.memory is not None
    assert plan.memory.free_bytes == _ROOM.free_bytes
    assert "activations" in plan.memory.basis


def test_the_estimates_follow_the_settings_without_another_question(situation: Situation) -> None:
    small = plan_of(situation).memory
    large = plan_of(replace(situation, values={**_VALUES, "batch_tokens": 200_000, "max_tokens": 2000}))

    assert small is not None
    assert large.memory is not None
    assert large.memory.need_bytes > 3 * small.need_bytes


def test_more_than_is_free_is_a_warning_and_no_wall(situation: Situation) -> None:
    full = msgspec.structs.replace(_ROOM, free_bytes=1_000_000)

    plan = plan_of(replace(situation, room=full))

    assert plan.notice is not None
    assert "more than is free" in plan.notice.title
    assert plan.may_start


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"answer": None}, "can’t be used"),
        ({"entry": None}, "Nothing that is installed"),
        ({"entry": _entry(backend="mlx")}, "MLX"),
    ],
)
def test_what_stands_against_a_start_is_said(
    situation: Situation, change: dict[str, Any], word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)

    plan = plan_of(replace(situation, **change))

    assert plan.notice is not None
    assert word in plan.notice.title
    assert not plan.may_start


def test_what_is_here_says_nothing_of_a_run_elsewhere(
    situation: Situation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)

    plan = plan_of(replace(situation, entry=_entry(backend="mlx"), room=None, place="lab"))

    assert plan.may_start
    assert plan.notice is None
    assert plan.memory is None
    assert "Time" not in {title for title, _, _ in plan.rows}
    assert "memory lab has free" in plan.basis and "not known" in plan.basis


def test_the_memory_of_a_cluster_is_compared_with_that_of_its_node(situation: Situation) -> None:
    node = msgspec.structs.replace(_ROOM, name="lab, roomiest node", free_bytes=1_000_000)

    plan = plan_of(replace(situation, room=node, place="lab"))

    assert plan.memory is not None and plan.memory.place == "lab, roomiest node"
    assert plan.notice is not None and "free on lab" in plan.notice.title
    assert plan.may_start and "Time" not in {title for title, _, _ in plan.rows}


def test_without_a_held_out_side_the_person_is_told(situation: Situation) -> None:
    assert situation.answer is not None

    plan = plan_of(replace(situation, answer=msgspec.structs.replace(situation.answer, held_out=0)))

    assert plan.notice is not None
    assert plan.notice.kind == "info"
    assert plan.may_start


def test_a_number_of_steps_overrules_the_epochs(situation: Situation) -> None:
    assert situation.answer is not None
    choices = TuningChoices(batch_tokens=1000, accumulation=2)

    assert updates_of(situation.answer, choices, {"epochs": 2}) == 40
    assert updates_of(situation.answer, choices, {"epochs": 2, "steps": 7}) == 7


def test_an_operation_that_trains_is_known_by_its_parameters(situation: Situation) -> None:
    other = _entry("quantize").model_copy(update={"fields": ()})
    mlx = _entry("finetune-mlx", input="mlx")

    teacher = FieldSpec(name="teacher", title="Teacher", kind="path", required=True)
    distill = _entry().model_copy(update={"fields": (*_entry().fields, teacher)})
    assert [trains(each) for each in (_entry(), other, distill)] == [True, False, False]
    assert usable([other, mlx, _entry()], situation.facts, on_metal=False) == [_entry()]
    assert usable([other, mlx], None, on_metal=False) == [mlx]


def test_the_backend_to_begin_with_is_the_one_that_suits_the_machine() -> None:
    mlx, torch = _entry("finetune-mlx", backend="mlx"), _entry(backend="torch")

    assert usable([mlx, torch], None, on_metal=False) == [torch, mlx]
    assert usable([torch, mlx], None, on_metal=True) == [mlx, torch]
