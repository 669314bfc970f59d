"""What a training taught, by the answers to held-out prompts before and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TypeVar

import numpy as np

from plugins._tuning_learned import Learned
from plugins._tuning_pair import Pair
from plugins._tuning_samples import Asked, example
from workbench.plugin import JobContext, Paired, PromptTexts, Side, exact_match, may_become, paired

_T = TypeVar("_T")

#: Prompts that are judged at most, evenly spaced over the held-out side.
_ITEMS = 2000
#: Expected answers of more tokens than this are texts, which no model gives word for word.
_LONGEST = 64
#: Tokens that an answer may be longer than expected: the same text may be spelled with other tokens. One that
#: is longer still is wrong however it ends.
_MARGIN = 8
#: What asking may cost one model, in tokens of answers; reading a token of a prompt takes about an eighth of
#: the time.
_COST, _READING = 1000, 1 / 8
#: Tokens of a batch, and rows: more is hardly faster on a CPU, and could not be cancelled for seconds.
_BATCH_TOKENS, _BATCH_ROWS = 1024, 32
#: Prompts that are shown with both answers, and those that are asked to choose them from.
_SHOWN, _ASKED_TO_SHOW = 5, 8


@dataclass(frozen=True, slots=True)
class Answered:
    """A prompt, what should follow, and what each model said."""

    prompt: str
    expected: str
    before: str
    after: str


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


def answers(job: JobContext, texts: PromptTexts, side: Side, found: Learned, pair: Pair) -> Answers:
    """Judge what both models answer to held-out prompts by exact match.

    A prompt is what stands before the first learned token of an example, so of a conversation its first
    answer that is learned; of a preference the better answer is expected, and not judged.

    A model that finds each token of the expected answer likeliest behind those before it gives this answer;
    one whose first other token makes it another text does not. So the scores of the examples tell most
    answers, and only those that they leave open, and a few to show, are generated.
    """
    items, reason = _items(texts, side, found)
    if not reason:
        items = _affordable(items)
    shown = sorted(items, key=lambda each: -each.difference)[:_ASKED_TO_SHOW]
    said: list[dict[_Item, tuple[str, bool]]] = []
    for model in range(2):
        opened = [each for each in items if not reason and each.right[model] is None]
        unseen = [each for each in shown if each.right[model] is not True and each not in opened]
        said.append(_ask(job, texts, [*opened, *unseen], pair, tuned=bool(model)))
    judged = None
    if not reason:
        judged = paired(*([each.is_right(model, said[model]) for each in items] for model in range(2)))
    both = [
        Answered(each.asked.prompt, each.asked.expected, *(each.text(one) for one in said)) for each in shown
    ]
    return Answers(judged, reason, tuple(sorted(both, key=_likeness)[:_SHOWN]))


@dataclass(frozen=True, slots=True, eq=False)
class _Item:
    """A held-out prompt.

    Attributes:
        right: Whether each model's answer is the expected one; None where the scores leave it open.
        difference: Share of the expected tokens in whose place the models find different ones likeliest.
    """

    asked: Asked
    right: tuple[bool | None, bool | None]
    difference: float

    @property
    def cost(self) -> float:
        """Of asking one model."""
        return _READING * len(self.asked.ids) + self.allowed

    @property
    def allowed(self) -> int:
        """Tokens that an answer may have."""
        return min(len(self.asked.expected_ids), _LONGEST) + _MARGIN

    def is_right(self, model: int, said: Mapping[_Item, tuple[str, bool]]) -> bool:
        known = self.right[model]
        return said[self][1] if known is None else known

    def text(self, said: Mapping[_Item, tuple[str, bool]]) -> str:
        """What a model said: what was expected where nobody had to ask it."""
        return said[self][0] if self in said else self.asked.expected


def _items(texts: PromptTexts, side: Side, found: Learned) -> tuple[list[_Item], str]:
    """The prompts of a side that can be judged, or else all of them and why they can't."""
    items = []
    for number in _spaced(side.examples.tolist(), _ITEMS):
        asked = example(texts, side, number)
        # Of a text all but the first token is learned, and one token is no prompt.
        if asked is None or len(asked.ids) < 2:
            continue
        before, after = found.likeliest[number][:, : len(asked.expected_ids)]
        right = _known(texts, asked, before.tolist()), _known(texts, asked, after.tolist())
        items.append(_Item(asked, right, float((before != after).mean())))
    judgeable = [each for each in items if len(each.asked.expected_ids) <= _LONGEST]
    if side.tokens.meta.pairs:
        return items, "Preferences are judged by which answer is likelier."
    if not items:
        return [], f"The held-out examples have no prompts, or are longer than {side.longest} tokens."
    if not judgeable:
        return items, f"The expected answers are texts of more than {_LONGEST} tokens, too long to be exact."
    return judgeable, ""


def _known(texts: PromptTexts, asked: Asked, likeliest: Sequence[int]) -> bool | None:
    """Whether the likeliest answer is the expected one, as far as its first other token or its end tells.

    Args:
        likeliest: In place of each expected token, behind those that are expected before it.
    """
    for place, (expected, token) in enumerate(zip(asked.expected_ids, likeliest, strict=True)):
        before = asked.expected_ids[:place]
        if token in texts.end_tokens:
            return exact_match(texts.text(before), asked.expected)
        if token != expected:
            return None if may_become(texts.text((*before, token)), asked.expected) else False
    return None


def _affordable(items: Sequence[_Item]) -> list[_Item]:
    """As many prompts, evenly spaced, as those among them that have to be asked are worth."""
    cost = sum(each.cost for each in items if None in each.right)
    return _spaced(items, max(1, int(len(items) * min(1.0, _COST / max(cost, 1.0)))))


def _ask(
    job: JobContext, texts: PromptTexts, items: Sequence[_Item], pair: Pair, *, tuned: bool
) -> dict[_Item, tuple[str, bool]]:
    """Have a model answer: its answers, and whether they are right."""
    said: dict[_Item, tuple[str, bool]] = {}
    for batch in _batches(sorted(items, key=lambda each: (each.allowed, len(each.asked.ids)))):
        label = f"proof: answers {'after' if tuned else 'before'}"
        job.progress(len(said), len(items), unit="answers", label=label)
        longest = max(each.allowed for each in batch)
        made = pair.generate([each.asked.ids for each in batch], longest, tuned=tuned)
        for item, ids in zip(batch, made, strict=True):
            text = texts.text(ids)
            # An answer that had to be cut off is not right, whatever it began with.
            ended = len(ids) < longest
            right = ended and exact_match(text, item.asked.expected)
            said[item] = (text if ended else f"{text} …".strip(), right)
    return said


def _batches(order: Sequence[_Item]) -> list[list[_Item]]:
    batches: list[list[_Item]] = []
    for each in order:
        batch = [*batches[-1], each] if batches else [each]
        width = max(len(one.asked.ids) for one in batch) + max(one.allowed for one in batch)
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
