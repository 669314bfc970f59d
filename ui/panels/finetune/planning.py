"""Works out what a start would do, in words and figures, from what was chosen and what was found."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from ui import format
from ui.panels.finetune.data_answer import DataAnswer
from ui.panels.finetune.data_choice import DataChoice
from ui.panels.finetune.plan import MemoryPlan, Plan, PlanNotice
from ui.widgets.optimize_plan import missing_backend
from workbench.catalogue_entry import OperationEntry
from workbench.library.records import ModelRecord
from workbench.model import ModelFacts
from workbench.tuning.choices import TuningChoices, choices_of
from workbench.tuning.estimate import MethodMemory, TuningEstimate, tuning_estimate
from workbench.tuning.memory import Room

#: An operation that trains on examples is known by its parameters, so that anybody's plugin is offered.
_TRAINS = frozenset({"data", "held_out", "max_tokens"})

METHODS = {"lora": "LoRA", "rslora": "rsLoRA", "dora": "DoRA", "qlora": "QLoRA", "full": "all weights"}


@dataclass(frozen=True, slots=True)
class Situation:
    """All that a plan follows from.

    Attributes:
        values: The operation's parameters as they stand.
        room: The memory that a run would use, as it is now; None where that is not known.
        place: The cluster that it would run on; empty for this computer.
    """

    record: ModelRecord | None
    facts: ModelFacts | None
    entry: OperationEntry | None
    choice: DataChoice
    answer: DataAnswer | None
    is_reading: bool
    values: Mapping[str, Any]
    output_name: str
    room: Room | None
    place: str = ""


def trains(entry: OperationEntry) -> bool:
    """Whether an operation is one that the Fine-tune page starts.

    One that needs more than examples, as a distillation needs its teacher, has its form on the Optimize page.
    """
    needed = {spec.name for spec in entry.fields if spec.required}
    names = {spec.name for spec in entry.fields}
    return entry.output is not None and names >= _TRAINS and needed <= _TRAINS


def usable(
    entries: Sequence[OperationEntry], facts: ModelFacts | None, *, on_metal: bool
) -> list[OperationEntry]:
    """The operations that can train a model, the one to begin with first.

    That is one whose backend is installed, then MLX on Apple silicon, where it is faster, else PyTorch.
    """
    found = [each for each in entries if trains(each) and not (facts is not None and each.obstacles(facts))]
    best = "mlx" if on_metal else "torch"
    return sorted(found, key=lambda each: (missing_backend(each.backend) is not None, each.backend != best))


def plan_of(now: Situation) -> Plan:
    """What a start would do."""
    choices = _choices(now.values)
    estimate = _estimate(now, choices)
    need = estimate.of(choices.method) if estimate is not None else None
    notice = _notice(now, need)
    return Plan(
        sentence=_sentence(now),
        rows=_rows(now, choices, estimate),
        memory=_memory(need, estimate),
        basis=_basis(now, estimate),
        output_name=now.output_name if now.entry is not None else "",
        notice=notice,
        may_start=now.entry is not None and now.answer is not None and not (notice and notice.blocks),
    )


def updates_of(answer: DataAnswer, choices: TuningChoices, values: Mapping[str, Any]) -> int:
    """About how many updates a run has: what the epochs make of full batches, unless a number is given."""
    steps = int(values.get("steps") or 0)
    epochs = float(values.get("epochs") or 1)
    made = answer.train.tokens * epochs / max(choices.batch_tokens * choices.accumulation, 1)
    return steps or max(1, math.ceil(made))


def _choices(values: Mapping[str, Any]) -> TuningChoices:
    try:
        return choices_of(values)
    except msgspec.ValidationError:
        # Something is still wrong in the form; its message stands at the field.
        return TuningChoices()


def _estimate(now: Situation, choices: TuningChoices) -> TuningEstimate | None:
    """What the settings take as they stand: arithmetic, on what the child process found out."""
    if now.facts is None or now.answer is None or now.answer.estimate is None or now.entry is None:
        return None
    if now.room is None:
        return None
    known = now.answer.estimate
    backend = "mlx" if now.entry.backend == "mlx" else "torch"
    return tuning_estimate(
        now.facts,
        now.answer,
        choices,
        backend,
        now.room,
        # Neither this machine's speed nor what its runs took says anything of another.
        machine_flops=known.machine_flops if known.backend == backend and not now.place else None,
        runs=() if now.place else known.runs,
    )


def _memory(need: MethodMemory | None, estimate: TuningEstimate | None) -> MemoryPlan | None:
    if need is None or estimate is None:
        return None
    room, memory = estimate.room, need.memory
    parts = (
        ("the process", memory.base_bytes),
        ("weights", memory.weights_bytes),
        ("adapter", memory.adapter_bytes),
        ("gradients", memory.gradients_bytes),
        ("optimizer", memory.optimizer_bytes),
        ("activations", memory.activations_bytes),
        ("logits", memory.logits_bytes),
    )
    return MemoryPlan(
        need_bytes=memory.total_bytes,
        free_bytes=room.free_bytes,
        total_bytes=room.total_bytes,
        place=room.name,
        basis="\n".join(f"{name}: {format.bytes(size)}" for name, size in parts if size),
    )


def _sentence(now: Situation) -> str:
    if now.record is None or now.entry is None:
        return "Choose a model first."
    if not now.choice.files:
        return f"Add examples, and {now.record.name} learns from them. The model itself stays as it is."
    method = str(now.values.get("method", "lora"))
    made = (
        "a model of its own"
        if method == "full"
        else f"a {METHODS.get(method, method)} adapter of rank {now.values.get('rank')} beside it"
    )
    count = now.answer.train.rows if now.answer is not None else None
    told = f"{format.grouped(count)} examples" if count is not None else "the examples"
    return f"{now.record.name} learns from {told}. The result is {made}; the base stays as it is."


def _rows(
    now: Situation, choices: TuningChoices, estimate: TuningEstimate | None
) -> tuple[tuple[str, str, str], ...]:
    answer, values = now.answer, now.values
    if now.entry is None or answer is None:
        return ()
    updates = updates_of(answer, choices, values)
    seen = updates * choices.batch_tokens * choices.accumulation / max(answer.train.tokens, 1)
    epochs = seen if values.get("steps") else float(values.get("epochs") or 1)
    times = f"{epochs:.2g} epoch{'' if epochs == 1 else 's'}"
    rows = [
        (
            "Learned",
            f"{format.count(answer.train.learned)} tokens",
            f"Of {format.count(answer.train.tokens)} that are seen in an epoch",
        ),
        ("Updates", f"about {format.count(updates)} · {times}", "Steps of the optimizer"),
    ]
    if answer.held_out:
        rows.append(
            (
                "Evaluated",
                f"{format.count(answer.held_out)} examples",
                "Held out, never learned; measured before, meanwhile and after",
            )
        )
    if estimate is not None and estimate.epoch is not None:
        pace = estimate.epoch
        rows.append(("Time", f"about {format.duration(pace.seconds * epochs)}", "Evaluations come on top"))
        rows.append(("Speed", f"{format.count(pace.tokens_per_second)} tok/s", "Of real tokens"))
    goes_on = now.entry.resumable and not now.entry.restarts
    rows.append(("After a pause", "goes on where it was" if goes_on else "begins anew", ""))
    return tuple(rows)


def _notice(now: Situation, need: MethodMemory | None) -> PlanNotice | None:
    if now.record is None:
        return None
    if now.entry is None:
        return PlanNotice("warn", "Nothing that is installed can train this model.", "Choose another one.")
    missing = None if now.place else missing_backend(now.entry.backend)
    if missing is not None:
        return PlanNotice("warn", missing.message, missing.remedy)
    if not now.choice.files:
        return None
    if now.answer is None:
        return None if now.is_reading else PlanNotice("bad", "The examples can’t be used as they are.")
    if now.answer.refused:
        return PlanNotice("warn", "Training would not begin on these examples.", "The Data step says why.")
    if need is not None and not need.fits:
        return PlanNotice(
            "warn",
            f"That is more than is free on {now.place} now."
            if now.place
            else "That is more than is free now.",
            "Halve the batch tokens and double the accumulation, which is the same update; have activations "
            "computed twice; or close what you don’t need.",
            blocks=False,
        )
    if not now.answer.held_out:
        return PlanNotice(
            "info",
            "Nothing is held out.",
            "Without that nobody can tell learning from learning by heart.",
            blocks=False,
        )
    return None


def _basis(now: Situation, estimate: TuningEstimate | None) -> str:
    """What the estimates of time rest on, or what is not known elsewhere."""
    if now.place and now.answer is not None:
        if now.room is None:
            return f"How much memory {now.place} has free, and how long it takes there, is not known."
        return f"How long it takes on {now.place} is not known."
    if estimate is None or estimate.epoch is None:
        return ""
    return f"Time and speed: {estimate.epoch.basis}."
