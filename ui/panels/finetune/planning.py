"""Works out what a start would do, in words and figures, from what was chosen and what was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ui import format
from ui.panels.finetune.data_answer import DataAnswer
from ui.panels.finetune.data_choice import DataChoice
from ui.panels.finetune.plan import MemoryPlan, Plan, PlanNotice
from ui.widgets.optimize_plan import missing_backend
from workbench.catalogue_entry import OperationEntry
from workbench.library.records import ModelRecord
from workbench.model import ModelFacts

#: An operation that trains on examples is known by its parameters, so that anybody's plugin is offered.
_TRAINS = frozenset({"data", "held_out", "max_tokens"})

_METHODS = {"lora": "LoRA", "rslora": "rsLoRA", "dora": "DoRA", "qlora": "QLoRA"}


@dataclass(frozen=True, slots=True)
class Situation:
    """All that a plan follows from."""

    record: ModelRecord | None
    facts: ModelFacts | None
    entry: OperationEntry | None
    choice: DataChoice
    answer: DataAnswer | None
    is_reading: bool
    values: Mapping[str, Any]
    output_name: str
    updates: int = 0
    memory: MemoryPlan | None = None
    seconds: float | None = None
    time_basis: str = ""


def trains(entry: OperationEntry) -> bool:
    """Whether an operation is one that the Fine-tune page starts."""
    return {spec.name for spec in entry.fields} >= _TRAINS


def usable(entries: Sequence[OperationEntry], facts: ModelFacts | None) -> list[OperationEntry]:
    """The operations that can train a model, in their order."""
    found = [entry for entry in entries if trains(entry)]
    return found if facts is None else [entry for entry in found if not entry.obstacles(facts)]


def plan_of(now: Situation) -> Plan:
    """What a start would do."""
    notice = _notice(now)
    blocked = notice is not None and notice.kind != "info"
    return Plan(
        sentence=_sentence(now),
        rows=_rows(now),
        memory=now.memory,
        output_name=now.output_name if now.entry is not None else "",
        notice=notice,
        may_start=not blocked and now.entry is not None and now.answer is not None,
    )


def _sentence(now: Situation) -> str:
    if now.record is None or now.entry is None:
        return "Choose a model first."
    if not now.choice.files:
        return f"Add examples, and {now.record.name} learns from them. The model itself stays as it is."
    method = str(now.values.get("method", "lora"))
    adapter = _METHODS.get(method)
    made = (
        f"a {adapter} adapter of rank {now.values.get('rank')} beside it" if adapter else "a model of its own"
    )
    count = now.answer.train.rows if now.answer is not None else None
    told = f"{format.grouped(count)} examples" if count is not None else "the examples"
    return f"{now.record.name} learns from {told}. The result is {made}; the base stays as it is."


def _rows(now: Situation) -> tuple[tuple[str, str, str], ...]:
    answer, values = now.answer, now.values
    if now.entry is None or answer is None:
        return ()
    epochs = float(values.get("epochs", 1) or 1)
    rows = [
        (
            "Learned",
            f"{format.count(answer.train.learned)} tokens",
            f"of {format.count(answer.train.tokens)} that are seen in an epoch",
        ),
    ]
    if now.updates:
        times = f"{epochs:g} epoch{'' if epochs == 1 else 's'}"
        rows.append(("Updates", f"{format.grouped(now.updates)} · {times}", "Steps of the optimizer"))
    if answer.held_out:
        rows.append(
            (
                "Evaluated",
                f"{format.grouped(answer.held_out)} examples",
                "Held out, never learned, measured before, meanwhile and after",
            )
        )
    if now.seconds is not None:
        rows.append(("Time", f"about {format.duration(now.seconds)}", now.time_basis))
    goes_on = now.entry.resumable and not now.entry.restarts
    rows.append(("After a pause", "goes on where it was" if goes_on else "begins anew", ""))
    return tuple(rows)


def _notice(now: Situation) -> PlanNotice | None:
    if now.record is None:
        return None
    if now.entry is None:
        return PlanNotice("warn", "Nothing that is installed can train this model.", "Choose another one.")
    missing = missing_backend(now.entry.backend)
    if missing is not None:
        return PlanNotice("warn", missing.message, missing.remedy)
    if not now.choice.files:
        return None
    if now.answer is None:
        return None if now.is_reading else PlanNotice("bad", "The examples can’t be used as they are.")
    if now.answer.refused:
        return PlanNotice("warn", "Training would not begin on these examples.", "The Data step says why.")
    if not now.answer.held_out:
        return PlanNotice(
            "info", "Nothing is held out.", "Without that nobody can tell learning from learning by heart."
        )
    return None
