"""Looks for the first token at which two models' greedy answers part, and whether rounding explains it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from workbench.chat.divergence import first_difference
from workbench.engines.base import Engine
from workbench.engines.request import AdapterUse
from workbench.measure.answers import greedy_answer
from workbench.measure.card import ParityCheck
from workbench.measure.parity_limits import explained_gap
from workbench.measure.parity_reading import quoted, written

NAME = "first divergence"

#: Length of an answer. Longer ones part by rounding alone, and say no more.
TOKENS = 8


def check_answers(
    prompts: Mapping[str, tuple[int, ...]],
    source: Engine,
    result: Engine,
    *,
    limit_nats: float | None,
    adapters: tuple[AdapterUse, ...] = (),
    progress: Callable[[], None] = lambda: None,
) -> ParityCheck:
    """Compare short greedy answers.

    Where they part, the source says how much less likely the result's token is to it than its own. A small
    gap is a matter of rounding; a large one is not, and fails.

    Args:
        prompts: What each is called, and its tokens, the same for both.
        limit_nats: How far the models' predictions may be apart; what follows for a gap is `explained_gap`.
            None where they are no numbers, so that there are no likeliest tokens.
        adapters: Switched on in the source.
        progress: Called after each prompt.
    """
    if limit_nats is None:
        return ParityCheck(
            name=NAME, result="not tested", finding="Without predictions there are no answers."
        )
    most = explained_gap(limit_nats)
    apart: list[str] = []
    for name, tokens in prompts.items():
        one = greedy_answer(source, tokens, TOKENS, adapters=adapters, ignore_end=True).tokens
        other = greedy_answer(result, tokens, TOKENS, ignore_end=True).tokens
        progress()
        at = first_difference(one, other)
        if at is None:
            continue
        where = f"at token {at + 1} of the answer to “{name}”"
        context = [*tokens, *one[:at]]
        logits = source.logits(context, len(context) - 1, adapters)[0]
        gap = float(logits[one[at]] - logits[other[at]])
        if not gap <= most:
            own, others = (quoted(written(source.tokenizer, each)) for each in (one[at], other[at]))
            finding = (
                f"They part {where}: {others}, which to the source is {gap:.2g} nats less likely than its own"
                f" {own}; up to {most:.2g} are explained."
            )
            return ParityCheck(name=NAME, result="failed", finding=finding)
        # A token by itself is rounded otherwise than in a sequence, which may turn a tie round.
        apart.append(f"the first parts {where}, by {max(0.0, gap):.2g} nats of {most:.2g} that are explained")
    finding = f"{len(prompts) - len(apart)} of {len(prompts)} answers of {TOKENS} tokens are the same"
    return ParityCheck(name=NAME, result="passed", finding="; ".join([finding, *apart[:1]]) + ".")
