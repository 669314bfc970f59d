"""What a training made a model forget, on text and questions that have nothing to do with what it learned."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from plugins._tuning_learned import BATCH_TOKENS
from plugins._tuning_pair import Pair
from workbench.plugin import (
    IGNORED,
    Arrays,
    Distance,
    Divergence,
    JobContext,
    Paired,
    PromptTexts,
    Question,
    paired,
)

#: Text is read in windows of so many tokens, evenly spaced over it, so that each of its kinds is met. Their
#: first tokens are not compared: each prediction has some context (llama.cpp's llama-perplexity leaves out a
#: window's first half). 768 positions are.
WINDOW, WINDOWS, CONTEXT = 128, 8, 32


def distance(
    job: JobContext, texts: PromptTexts, text: str, pair: Pair, context_length: int | None = None
) -> Distance:
    """How far the result's predictions of a text are from its base's.

    Args:
        context_length: The longest sequence that both take; None where they don't say.
    """
    ids = texts.plain(text)
    width = min(WINDOW, context_length or WINDOW)
    count = max(1, min(WINDOWS, len(ids) // width))
    starts = np.linspace(0, max(0, len(ids) - width), count).round().astype(int)
    found = Divergence()
    for done, start in enumerate(starts.tolist()):
        window = np.array([ids[start : start + width]], dtype=np.int64)
        both = []
        for tuned in (False, True):
            job.progress(2 * done + tuned, 2 * count, unit="windows", label="proof: other text")
            since = min(CONTEXT, window.shape[1] // 2)
            both.append(pair.log_probabilities(window, tuned=tuned, since=since))
        found.add(both[0], both[1])
    return found.distance()


def knowledge(job: JobContext, texts: PromptTexts, items: Sequence[Question], pair: Pair) -> Paired:
    """How many questions both models answer rightly.

    A model answers with the choice that it finds likeliest after the prompt and a space: the sum of its
    tokens' log-probabilities, not divided by its length, as the choices of a question are alike in that.
    """
    asked = [_tokens(texts, item, choice) for item in items for choice in item.choices]
    scores = np.zeros((2, len(asked)))
    order = sorted(range(len(asked)), key=lambda place: len(asked[place][0]))
    done = 0
    for places in _batches(order, [len(ids) for ids, _first in asked]):
        arrays = _arrays([asked[place] for place in places])
        for tuned in (False, True):
            job.progress(done, 2 * len(asked), unit="choices", label="proof: other questions")
            scores[int(tuned), places] = -pair.scores(arrays, tuned=tuned).losses
            done += len(places)
    ends = np.cumsum([0, *(len(item.choices) for item in items)])
    right = [
        [
            int(row[start:end].argmax()) == item.answer
            for item, (start, end) in zip(items, pairwise(ends), strict=True)
        ]
        for row in scores
    ]
    return paired(right[0], right[1])


def _tokens(texts: PromptTexts, item: Question, choice: str) -> tuple[list[int], int]:
    """A question with a choice, and where the choice begins.

    It is tokenized whole, as a tokenizer may join the space to what follows or write it by itself.
    """
    before, whole = texts.plain(item.prompt), texts.plain(f"{item.prompt} {choice}")
    same = next(
        (at for at, (one, other) in enumerate(zip(before, whole, strict=False)) if one != other), None
    )
    return whole, min(len(before), len(whole) - 1) if same is None else same


def _batches(order: Sequence[int], lengths: Sequence[int]) -> Iterator[list[int]]:
    """Places in batches of rising length."""
    batch: list[int] = []
    for place in order:
        if batch and lengths[place] * (len(batch) + 1) > BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch


def _arrays(asked: Sequence[tuple[list[int], int]]) -> Arrays:
    """Texts as a batch in which what begins at a place has to be predicted."""
    shape = (len(asked), max(len(ids) for ids, _first in asked))
    ids, positions, segments = (np.zeros(shape, dtype=np.int64) for _array in range(3))
    targets = np.full(shape, IGNORED, dtype=np.int64)
    for row, (tokens, first) in enumerate(asked):
        ids[row, : len(tokens)] = tokens
        positions[row, : len(tokens)] = np.arange(len(tokens))
        segments[row, : len(tokens)] = 1
        targets[row, first - 1 : len(tokens) - 1] = tokens[first:]
    return Arrays(ids, targets, positions, segments)
