"""Asks a model for greedy answers, so that two models can be compared by what they say."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import msgspec
from msgspec import Struct

from workbench.engines.base import Engine
from workbench.engines.request import GREEDY, AdapterUse, Message, Request
from workbench.engines.wire import Delta, Failed, Finished
from workbench.errors import WorkbenchError

_ID = "compared"


class Answer(Struct, frozen=True, kw_only=True):
    """What a model says: its tokens without the one that ends it, and their text."""

    tokens: tuple[int, ...]
    text: str


#: Gives a model's greedy answer: the model, a prompt's tokens, and the longest answer; see `greedy_answer`.
Ask: TypeAlias = Callable[[Engine, tuple[int, ...], int], Answer]

#: Answers by the `id` of their model, the prompt's tokens, and the most that an answer might have.
Known: TypeAlias = dict[tuple[int, tuple[int, ...], int], Answer]


def prompt_tokens(engine: Engine, prompt: str) -> tuple[int, ...]:
    """A prompt's tokens: what a person says in a conversation, or plain text where the model holds none.

    Raises:
        TemplateError: The model's chat template fails.
    """
    if engine.report.has_template:
        request = Request(id=_ID, messages=(Message(role="user", content=prompt),))
    else:
        request = Request(id=_ID, prompt=prompt)
    return tuple(engine.prompt_tokens(request))


def greedy_answer(
    engine: Engine,
    tokens: tuple[int, ...],
    most: int,
    *,
    adapters: tuple[AdapterUse, ...] = (),
    ignore_end: bool = False,
) -> Answer:
    """The likeliest token after the other, at most `most` of them.

    The prompt is computed anew and by itself: kept prompts and batches are rounded differently, which tips
    the choice between tokens that are nearly as likely.

    Args:
        adapters: Switched on for it.
        ignore_end: Go on past the model's end-of-text token.

    Raises:
        WorkbenchError: The prompt is longer than the context, or the engine fails.
    """
    sampling = msgspec.structs.replace(GREEDY, max_tokens=most, ignore_end=ignore_end)
    engine.add(Request(id=_ID, tokens=tokens, sampling=sampling, adapters=adapters, reuse=False))
    said: list[int] = []
    text = ""
    while engine.active or engine.waiting:
        for each in engine.step():
            if isinstance(each, Delta):
                said += each.tokens
            elif isinstance(each, Finished):
                text = each.text
            elif isinstance(each, Failed):
                raise WorkbenchError(each.error.message, remedy=each.error.remedy, details=each.error.details)
    return Answer(tokens=tuple(said), text=text)


def remembering(known: Known) -> Ask:
    """`greedy_answer` that computes each answer once.

    Args:
        known: What is known already; takes in each new answer.
    """

    def ask(engine: Engine, tokens: tuple[int, ...], most: int) -> Answer:
        key = (id(engine), tokens, most)
        if key not in known:
            known[key] = greedy_answer(engine, tokens, most)
        return known[key]

    return ask
