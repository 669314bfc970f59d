"""Finds the prompts on which two models differ most, to show both answers side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from workbench.engines.base import Engine
from workbench.measure.answers import Answer, Ask, greedy_answer, prompt_tokens
from workbench.measure.card import Example
from workbench.measure.divergence import Divergence
from workbench.measure.same_vocabulary import check_same_vocabulary, on_common_tokens


def most_different(
    reference: Engine,
    candidate: Engine,
    prompts: Sequence[str],
    count: int = 5,
    *,
    tokens: int = 48,
    ask: Ask = greedy_answer,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> tuple[Example, ...]:
    """The prompts with the largest divergence, the largest first.

    The reference answers each prompt, and the divergence is the mean over that answer: what the candidate
    would rather have said at each of its tokens, given what the reference had said so far. So it says how far
    the models are apart, where two answers say only that a near-tie fell differently. Only for the
    prompts that are shown the candidate answers too.

    Args:
        reference: Its chat template and tokenizer make the tokens that both are given.
        candidate: What is measured.
        prompts: What a person would say.
        count: How many to find.
        tokens: The longest answer.
        ask: Asks a model; one that remembers spares what is asked again.
        progress: Called with the answers done and all of them, before the first and after each.

    Raises:
        WorkbenchError: The vocabularies differ, a prompt can't be answered, or logits are no numbers.
    """
    common = check_same_vocabulary(reference.tokenizer, candidate.tokenizer)
    total = len(prompts) + min(count, len(prompts))
    found: list[tuple[float, str, tuple[int, ...], Answer]] = []
    progress(0, total)
    for prompt in prompts:
        given = prompt_tokens(reference, prompt)
        answer = ask(reference, given, tokens)
        found.append((_mean_kld(reference, candidate, given, answer, common), prompt, given, answer))
        progress(len(found), total)
    examples: list[Example] = []
    # Prompts that are as far apart stay in their order.
    for mean_kld, prompt, given, answer in sorted(found, key=lambda each: -each[0])[:count]:
        examples.append(
            Example(
                prompt=prompt,
                reference=answer.text,
                candidate=ask(candidate, given, tokens).text,
                mean_kld=mean_kld,
            )
        )
        progress(len(found) + len(examples), total)
    return tuple(examples)


def _mean_kld(
    reference: Engine, candidate: Engine, given: tuple[int, ...], answer: Answer, common: int
) -> float:
    """Over the predictions of the answer's tokens, and of what follows the last."""
    whole = (*given, *answer.tokens)
    one, other = (engine.logits(whole, len(given) - 1) for engine in (reference, candidate))
    divergence = Divergence()
    divergence.add(*on_common_tokens(common, one, other))
    return divergence.distance().mean_kld
