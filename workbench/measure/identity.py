"""Finds out whether two models give the same greedy answers, token by token."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from workbench.chat.divergence import first_difference
from workbench.engines.base import Engine
from workbench.measure.answers import Ask, greedy_answer, prompt_tokens
from workbench.measure.card import Identity
from workbench.measure.same_vocabulary import check_same_vocabulary


def measure_identity(
    reference: Engine,
    candidate: Engine,
    prompts: Sequence[str],
    tokens: int = 32,
    *,
    ask: Ask = greedy_answer,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Identity:
    """Let both models answer, each prompt by itself.

    Args:
        reference: Its chat template and tokenizer make the tokens that both are given.
        candidate: What is measured. A draft that it was loaded with is used: drafts must not change answers.
        prompts: What a person would say.
        tokens: The longest answer. One that ends earlier must end at the same place.
        ask: Asks a model; one that remembers spares what is asked again.
        progress: Called with the prompts done and all of them, before the first and after each.

    Raises:
        WorkbenchError: The vocabularies differ, or a prompt can't be answered.
    """
    check_same_vocabulary(reference.tokenizer, candidate.tokenizer)
    places: list[int] = []
    progress(0, len(prompts))
    for prompt in prompts:
        given = prompt_tokens(reference, prompt)
        one, other = (ask(engine, given, tokens).tokens for engine in (reference, candidate))
        place = first_difference(one, other)
        places.append(-1 if place is None else place)
        progress(len(places), len(prompts))
    return Identity(
        prompts=len(prompts), tokens=tokens, identical=places.count(-1), first_difference=tuple(places)
    )
