"""What a training taught, by the answers to held-out prompts before and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TypeVar

import numpy as np

from plugins._tuning_pair import Pair
from plugins._tuning_samples import Asked, example
from workbench.plugin import JobContext, Paired, PromptTexts, Side, exact_match, paired

_T = TypeVar("_T")

#: Prompts that are asked at most, evenly spaced over the held-out side.
_ITEMS = 200
#: Expected answers of more tokens than this are texts, which no model gives word for word.
_LONGEST = 64
#: Tokens that an answer may be longer than expected: the same text may be spelled with other tokens. One that
#: is longer still is wrong however it ends.
_MARGIN = 8
#: What all prompts may cost one model, in tokens of answers; reading a token of a prompt takes about an
#: eighth of the time.
_COST, _READING = 2000, 1 / 8
#: Tokens of a batch, and rows: more is hardly faster on a CPU, and could not be cancelled for seconds.
_BATCH_TOKENS, _BATCH_ROWS = 1024, 32
#: Prompts that are shown with both answers, and asked where no answer can be judged.
_SHOWN, _ASKED_TO_SHOW = 5, 8


@dataclass(frozen=True, slots=True)
class Answered:
    """A prompt, what should follow, and what each model said."""

    prompt: str
    expected: str
    before: str
    after: str
    right_before: bool
    right_after: bool


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers to held-out prompts.

    Attributes:
        judged: How many were right; None where answers can't be judged.
        reason: Why they can't.
        shown: Those whose answers differ most, the most different first.
    """

    judged: Paired | None
    reason: str
    shown: tuple[Answered, ...]


def answers(job: JobContext, texts: PromptTexts, side: Side, pair: Pair) -> Answers:
    """Ask both models held-out prompts, and judge by exact match.

    A prompt is what stands before the first learned token of an example, so of a conversation its first
    answer that is learned; of a preference the better answer is expected, and not judged.
    """
    found = [
        each for number in _spaced(side.examples.tolist(), _ITEMS) if (each := _prompt(texts, side, number))
    ]
    short = [each for each in found if len(each.expected_ids) <= _LONGEST]
    reason = ""
    if side.tokens.meta.pairs:
        reason = "Preferences are judged by which answer is likelier."
    elif not found:
        reason = f"The held-out examples have no prompts, or are longer than {side.longest} tokens."
    elif not short:
        reason = (
            f"The expected answers are texts of more than {_LONGEST} tokens, not to be had word for word."
        )
    chosen = _spaced(found, _ASKED_TO_SHOW) if reason else _affordable(short)
    said = _ask(job, texts, chosen, pair)
    judged = None
    if not reason:
        judged = paired([each.right_before for each in said], [each.right_after for each in said])
    return Answers(judged, reason, tuple(sorted(said, key=_likeness)[:_SHOWN]))


def _prompt(texts: PromptTexts, side: Side, number: int) -> Asked | None:
    """An example's prompt; None where it has none, or was cut.

    In a text all but the first token is learned: one token is no prompt.
    """
    found = example(texts, side, number)
    return found if found is not None and len(found.ids) > 1 else None


def _affordable(found: Sequence[Asked]) -> list[Asked]:
    """As many as the time is worth, evenly spaced."""
    costs = [_READING * len(each.ids) + len(each.expected_ids) + _MARGIN for each in found]
    return _spaced(found, max(1, int(_COST / (sum(costs) / len(costs)))))


def _ask(job: JobContext, texts: PromptTexts, asked: Sequence[Asked], pair: Pair) -> list[Answered]:
    """Have both answer, in batches of prompts whose answers and prompts are of like length."""
    order = sorted(asked, key=lambda each: (_allowed(each), len(each.ids)))
    said: list[Answered] = []
    for batch in _batches(order):
        prompts, longest = [each.ids for each in batch], max(map(_allowed, batch))
        both = []
        for tuned in (False, True):
            job.progress(
                2 * len(said) + tuned * len(batch), 2 * len(order), unit="answers", label="proof: answers"
            )
            both.append(pair.generate(prompts, longest, tuned=tuned))
        for one, before, after in zip(batch, *both, strict=True):
            first, second = (_said(texts, ids, longest, one.expected) for ids in (before, after))
            said.append(Answered(one.prompt, one.expected, first[0], second[0], first[1], second[1]))
    return said


def _said(texts: PromptTexts, ids: Sequence[int], longest: int, expected: str) -> tuple[str, bool]:
    """An answer's text, and whether it is right: one that had to be cut off is not."""
    text, ended = texts.text(ids), len(ids) < longest
    return (text, exact_match(text, expected)) if ended else (f"{text} …".strip(), False)


def _allowed(asked: Asked) -> int:
    return min(len(asked.expected_ids), _LONGEST) + _MARGIN


def _batches(order: Sequence[Asked]) -> list[list[Asked]]:
    batches: list[list[Asked]] = []
    for each in order:
        batch = [*batches[-1], each] if batches else [each]
        width = max(len(one.ids) for one in batch) + max(map(_allowed, batch))
        if batches and len(batch) <= _BATCH_ROWS and width * len(batch) <= _BATCH_TOKENS:
            batches[-1] = batch
        else:
            batches.append([each])
    return batches


def _likeness(said: Answered) -> float:
    """How like both answers are, from 0 to 1."""
    return SequenceMatcher(None, said.before, said.after, autojunk=False).ratio()


def _spaced(found: Sequence[_T], most: int) -> list[_T]:
    """Some of a sequence, evenly spaced.

    >>> _spaced("abcdefghi", 3)
    ['a', 'e', 'i']
    """
    if len(found) <= most:
        return list(found)
    return [found[int(place)] for place in np.linspace(0, len(found) - 1, most).round()]
