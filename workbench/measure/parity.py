"""Checks that a step left a model what it was, and finds the step of a chain that broke it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from workbench.engines.base import Engine
from workbench.engines.request import AdapterUse
from workbench.errors import UsageError
from workbench.measure import parity_answers, parity_predictions
from workbench.measure.card import ParityCheck
from workbench.measure.parity_answers import check_answers
from workbench.measure.parity_base import check_base
from workbench.measure.parity_limits import limit_of
from workbench.measure.parity_marks import check_marks
from workbench.measure.parity_predictions import check_predictions
from workbench.measure.parity_prompts import Prompt, read_prompts
from workbench.measure.parity_reading import Reading, quoted, read, written
from workbench.measure.parity_template import check_template
from workbench.measure.parity_tokenizer import check_tokenizer
from workbench.model import Model

#: Prompts that are answered, spread over all.
_ANSWERED = 6

#: Called with how much of the work is done, and with all of it.
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A step from one model to the next, and what it may change.

    Attributes:
        stage: What it is called, for example a job's title.
        same_type: Whether it leaves the weights in 16 bits or more, so that predictions change by rounding
            alone: converting and merging do, quantizing does not.
        bits: Bits a weight of the result, where it is quantized and they are known.
        adapters: What is switched on in the source, beside a result into which it is merged.
        merged_into: The model that adapters were merged into, where the step did that.
        retrained: Whether it changes predictions on purpose, as fine-tuning and pruning do, so that only
            texts and tokens are compared.
    """

    stage: str
    same_type: bool
    bits: float | None = None
    adapters: tuple[AdapterUse, ...] = ()
    merged_into: Model | None = None
    retrained: bool = False


def check_parity(
    reference: Engine,
    candidate: Engine,
    *,
    stage: str,
    same_type: bool,
    bits: float | None = None,
    retrained: bool = False,
    progress: Progress = lambda _done, _total: None,
) -> tuple[ParityCheck, ...]:
    """Check a step that is no merge of adapters; see `check_step`.

    Args:
        reference: What the step began with.
        candidate: What it made.
        stage, same_type, bits, retrained: See `Step`.
        progress: Called before the first part of the work and after each.
    """
    step = Step(stage=stage, same_type=same_type, bits=bits, retrained=retrained)
    return check_step(reference, candidate, step, progress=progress)


def check_step(
    source: Engine,
    result: Engine,
    step: Step,
    *,
    prompts: Sequence[Prompt] | None = None,
    progress: Progress = lambda _done, _total: None,
) -> tuple[ParityCheck, ...]:
    """Put fixed prompts through a model before and after a step, and look for the known ways of breaking it.

    | check | fails where |
    | --- | --- |
    | chat template | a conversation becomes another text or is refused, or the template is lost |
    | begin and end tokens | one is doubled or lost in a conversation or a text, or no longer ends answers |
    | tokenizer | a token stands for another text, or a text is split into other tokens |
    | predictions | they are farther from the source's than the step explains |
    | first divergence | greedy answers part where the step does not explain it |
    | quantized base | adapters were merged into a model that is of 4 bits, or was and no longer fits them |

    What a step explains is a share of what the source's predictions tell of their contexts: a hundredth where
    weights keep 16 bits or more, so that only rounding differs; 0.16 with 6 bits a weight, and about four
    times as much for each bit less, up to a half. Every finding names what was measured and what was allowed;
    the reasons for the limits are in `parity_limits`.

    The engines may differ, and vocabularies may be padded. No request may be under way.

    Args:
        source: The model before.
        result: The model after.
        prompts: Other prompts than the 32 that ship with Tenfold.
        progress: Called before the first part of the work and after each.

    Returns:
        One for each check. A failed one carries the stage.

    Raises:
        UsageError: There are no prompts.
        WorkbenchError: A model could not be computed.
    """
    chosen = tuple(prompts) if prompts is not None else read_prompts()
    if not chosen:
        raise UsageError("Parity is checked on prompts, and there are none.")
    answered = chosen[:: -(-len(chosen) // _ANSWERED)]
    count = _Count(progress, 1 + len(chosen) + len(answered))
    before, after = read(source, chosen), read(result, chosen)
    found = [check(chosen, before, after) for check in (check_template, check_marks, check_tokenizer)]
    count.next()
    reason = _incomparable(source, result, step, before)
    damaged: bool | None = None
    if reason:
        for name in (parity_predictions.NAME, parity_answers.NAME):
            found.append(ParityCheck(name=name, result="not tested", finding=reason))
    else:
        limit = limit_of(same_type=step.same_type, bits=step.bits)
        inputs = _inputs(before, min(source.report.context, result.report.context))
        predictions, nats = check_predictions(
            inputs, source, result, limit=limit, adapters=step.adapters, progress=count.next
        )
        answers = check_answers(
            {each.name: inputs[chosen.index(each)] for each in answered},
            source,
            result,
            limit_nats=nats,
            adapters=step.adapters,
            progress=count.next,
        )
        damaged = "failed" in (predictions.result, answers.result)
        found += [predictions, answers]
    if step.merged_into is not None:
        found.append(check_base(step.merged_into, damaged=damaged))
    count.end()
    return tuple(
        msgspec.structs.replace(each, stage=step.stage) if each.result == "failed" else each for each in found
    )


def check_chain(
    openers: Sequence[Callable[[], Engine]],
    steps: Sequence[Step],
    *,
    prompts: Sequence[Prompt] | None = None,
    progress: Progress = lambda _done, _total: None,
) -> tuple[ParityCheck, ...]:
    """Find the first step of several that breaks a model.

    Two neighbours are loaded at a time, and closed again.

    Args:
        openers: Load the models, in their order.
        steps: What leads from each to the next; one fewer.
        prompts, progress: See `check_step`.

    Returns:
        The checks of the first step with one that failed; of the last step where none did.

    Raises:
        UsageError: There is not one step between each two models.
        WorkbenchError: A model can't be loaded or computed.
    """
    if len(openers) != len(steps) + 1 or not steps:
        raise UsageError(f"{len(openers)} models and {len(steps)} steps make no chain.")
    found: tuple[ParityCheck, ...] = ()
    source = openers[0]()
    try:
        for number, (opener, step) in enumerate(zip(openers[1:], steps, strict=True)):
            result = opener()
            try:
                told = _Part(progress, number, len(steps))
                found = check_step(source, result, step, prompts=prompts, progress=told)
            finally:
                source.close()
                source = result
            if any(each.result == "failed" for each in found):
                break
    finally:
        source.close()
    return found


class _Count:
    """Counts parts of the work."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0
        progress(0, total)

    def next(self) -> None:
        self._done += 1
        self._progress(self._done, self._total)

    def end(self) -> None:
        """What was left out is done too."""
        self._progress(self._total, self._total)


class _Part:
    """The progress of one step among several."""

    def __init__(self, progress: Progress, number: int, steps: int) -> None:
        self._progress, self._number, self._steps = progress, number, steps

    def __call__(self, done: int, total: int) -> None:
        self._progress(self._number * total + done, self._steps * total)


def _incomparable(source: Engine, result: Engine, step: Step, before: Reading) -> str:
    """Why predictions can't be compared; empty where they can."""
    if step.retrained:
        return "The step changes predictions on purpose."
    if not (source.capabilities.logits and result.capabilities.logits):
        return "A model that was loaded for embeddings gives no predictions."
    used = {token for tokens in (*before.texts, *before.conversations) for token in tokens or ()}
    for token in sorted(used):
        one, other = written(source.tokenizer, token), written(result.tokenizer, token)
        if token >= result.report.vocabulary or one != other:
            return f"Token {token}, {quoted(one)}, of the prompts is not the same in the result."
    return ""


def _inputs(before: Reading, context: int) -> list[tuple[int, ...]]:
    """The source's tokens of each prompt, as far as an answer has room after them."""
    most = context - parity_answers.TOKENS - 1
    return [(talk or text)[:most] for talk, text in zip(before.conversations, before.texts, strict=True)]
