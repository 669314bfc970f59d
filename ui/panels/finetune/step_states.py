"""How each step of a fine-tuning stands, in a sign and a few words."""

from __future__ import annotations

from ui import format
from ui.panels.finetune.data_answer import DataAnswer
from ui.panels.finetune.data_choice import DataChoice
from ui.panels.finetune.step_bar import StepState
from ui.widgets.job_words import progress_text, state_word
from workbench.jobs.records import JobRecord

_SIGNS = {"running": "busy", "done": "done", "failed": "bad", "interrupted": "warn", "paused": "warn"}


def data_state(choice: DataChoice, answer: DataAnswer | None, *, in_trouble: bool) -> StepState:
    if not choice.files:
        return StepState("choose examples")
    if in_trouble:
        return StepState("can’t be used", "bad")
    if answer is None:
        return StepState("reading…", "busy")
    if answer.refused:
        return StepState("needs a decision", "warn")
    learned, held_out = format.count(answer.train.rows), format.count(answer.held_out)
    return StepState(f"{learned} learned · {held_out} held out", "done")


def settings_state(by_hand: int, *, in_trouble: bool) -> StepState:
    if in_trouble:
        return StepState("something is wrong", "bad")
    return StepState(f"{by_hand} changed by hand" if by_hand else "good defaults", "done")


def training_state(job: JobRecord | None) -> StepState:
    if job is None:
        return StepState("nothing yet")
    far = progress_text(job) if job.state in ("running", "paused") else ""
    word = state_word(job.state)
    return StepState(f"{word} · {far}" if far else word, _SIGNS.get(job.state, ""))
