"""Compares a fine-tuned model with its base: what it learned, and what it forgot."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from typing import Any

from plugins._tuning_answers import Answers, answers
from plugins._tuning_forgetting import CONTEXT, WINDOW, WINDOWS, distance, knowledge
from plugins._tuning_learned import Learned, learned
from plugins._tuning_pair import Pair
from plugins._tuning_run import Tuned
from workbench.plugin import (
    Distance,
    JobCancelled,
    JobContext,
    JobPaused,
    Paired,
    forgotten,
    general_items,
    general_text,
    verdict,
)

SCHEMA = 1


def prove(job: JobContext, tuned: Tuned, pair: Pair, conditions: dict[str, Any]) -> dict[str, Any]:
    """What `compare` finds; where it fails, why, as a training's result is worth more than its proof."""
    try:
        return compare(job, tuned, pair, conditions)
    except (JobCancelled, JobPaused):
        raise
    except Exception as error:  # noqa: BLE001 - whatever went wrong here, the result must not be lost
        job.log(f"The result could not be compared with its base: {error}", level="warning")
        return {"schema": SCHEMA, "error": str(error) or type(error).__name__, "conditions": conditions}
    finally:
        pair.close()


def compare(job: JobContext, tuned: Tuned, pair: Pair, conditions: dict[str, Any]) -> dict[str, Any]:
    """The figures of a comparison, as `proof.json` has them.

    - `held_out`: mean cross-entropy of held-out tokens `before` and `after`, of preferences in their better
      answers; null where nothing was held out.
    - `task`: of held-out prompts the share that is answered word for word, or of preferences the share in
      which the better answer is likelier: `before`, `after`, their Wilson intervals, how many changed, and
      the p of McNemar's test; null where there is no task, and `reasons` says why.
    - `forgetting`: on text and questions that ship with Tenfold, KL divergence of the base from the result,
      and questions that were answered rightly.
    - `examples`: the prompts whose answers differ most.
    - `sentences`: all of it for a person.

    Raises:
        WorkbenchError: A model can't be asked, or answers with what are no numbers.
    """
    side, texts = tuned.sides.held_out, tuned.texts
    sentences: list[str] = []
    reasons: dict[str, str] = {}

    def say(sentence: str) -> None:
        sentences.append(sentence)
        job.log(sentence)

    held_out: Learned | None = None
    said = Answers(None, "Nothing was held out.", ())
    if len(side):
        held_out = learned(job, side, pair)
        of_what = " of the better answers" if held_out.preferred is not None else ""
        say(f"Held-out loss{of_what}: {held_out.before:.4f} before, {held_out.after:.4f} after.")
        said = answers(job, texts, side, held_out, pair)
    else:
        reasons["held_out"] = said.reason
    task = held_out.preferred if held_out is not None and held_out.preferred is not None else said.judged
    if task is None:
        reasons["task"] = said.reason
    else:
        _report(job, task, tuned.progress.step)
        say(_task_sentence(task, preferences=said.judged is None))
    text, items = general_text(), general_items()
    apart = distance(job, texts, text, pair, tuned.model.facts.context_length)
    known = knowledge(job, texts, items, pair)
    job.metric("kl", apart.mean_kld, step=tuned.progress.step, unit="nats")
    say(_forgetting_sentence(apart, known))
    return {
        "schema": SCHEMA,
        "held_out": _held_out(held_out),
        "task": None if task is None else _task(task, preferences=said.judged is None),
        "forgetting": _forgetting(apart, known),
        "examples": [asdict(each) for each in said.shown],
        "reasons": reasons,
        "sentences": sentences,
        "conditions": {
            **conditions,
            "text_sha256": hashlib.sha256(text.encode()).hexdigest(),
            "windows": {"most": WINDOWS, "tokens": WINDOW, "not_compared": CONTEXT},
        },
    }


def _report(job: JobContext, task: Paired, step: int) -> None:
    job.metric("accuracy/held-out", task.before, step=0)
    job.metric("accuracy/held-out", task.after, step=step)


def _task_sentence(task: Paired, *, preferences: bool) -> str:
    what = (
        "preferences have the better answer likelier" if preferences else "held-out prompts answered rightly"
    )
    before, after = task.both + task.only_before, task.both + task.only_after
    return f"{before} of {task.items} {what} before, {after} after: {verdict(task)}."


def _forgetting_sentence(apart: Distance, known: Paired) -> str:
    return (
        f"Forgetting: {forgotten(apart.mean_kld, known)}. On other text its predictions are"
        f" {apart.mean_kld:.3g} ± {apart.mean_kld_error:.1g} nats from its base's, with the same first choice"
        f" at {apart.same_top:.1%} of {apart.positions} positions; of {known.items} other questions"
        f" {known.both + known.only_before} are right before, {known.both + known.only_after} after:"
        f" {verdict(known)}."
    )


def _held_out(found: Learned | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "before": found.before,
        "after": found.after,
        "examples": len(found.likeliest),
        "tokens": found.tokens,
    }


def _task(found: Paired, *, preferences: bool) -> dict[str, Any]:
    return {
        "kind": "preference" if preferences else "exact match",
        "items": found.items,
        "before": found.before,
        "after": found.after,
        "wilson_before": list(found.wilson_before),
        "wilson_after": list(found.wilson_after),
        "only_before": found.only_before,
        "only_after": found.only_after,
        "p": found.p,
        "verdict": verdict(found),
    }


def _forgetting(apart: Distance, known: Paired) -> dict[str, Any]:
    figures = asdict(apart)
    return {
        "grade": forgotten(apart.mean_kld, known),
        "tokens": figures.pop("positions"),
        **figures,
        "items": known.items,
        "accuracy_before": known.before,
        "accuracy_after": known.after,
        "only_before": known.only_before,
        "only_after": known.only_after,
        "p": known.p,
        "verdict": verdict(known),
    }
