"""How likely a model finds texts, token by token, as public benchmarks ask."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from workbench.plugin import Engine


def split(engine: Engine, context: str, continuation: str) -> tuple[list[int], list[int]]:
    """A context and what follows it as tokens, tokenized together, as the model would have read them."""
    encode = engine.tokenizer.encode
    # Spaces belong to the word that follows them.
    bare = context.rstrip()
    if not bare:
        return [beginning_of(engine)], encode(context + continuation, begin=False)
    whole = encode(context + continuation, begin=True)
    count = min(len(encode(bare, begin=True)), len(whole) - 1)
    return whole[:count], whole[count:]


def scored(engine: Engine, before: Sequence[int], after: Sequence[int]) -> tuple[float, bool]:
    """The log-likelihood of tokens after others in nats, and whether each of them is the likeliest.

    Where both are longer than the context, the end of each is kept.
    """
    room = engine.report.context
    after = after[-(room - 1) :]
    before = before[-(room - len(after)) :]
    logits = engine.logits([*before, *after[:-1]], len(before) - 1).astype(np.float64)
    top = logits.max(axis=1, keepdims=True)
    logs = logits - top - np.log(np.exp(logits - top).sum(axis=1, keepdims=True))
    given = np.asarray(after)
    return float(logs[np.arange(len(given)), given].sum()), bool((logits.argmax(axis=1) == given).all())


def rolling(tokens: Sequence[int], beginning: int, room: int) -> Iterator[tuple[list[int], list[int]]]:
    """What is predicted from what: each token once, with as much before it as a context has room for.

    >>> list(rolling([0, 1, 2, 3, 4], beginning=99, room=4))
    [([99], [0, 1, 2]), ([1, 2], [3, 4])]

    Args:
        beginning: The token that tells the model that a text begins.
        room: Tokens of the context.
    """
    first = list(tokens[: room - 1])
    if first:
        yield [beginning], first
    for at in range(len(first), len(tokens), room - 1):
        after = list(tokens[at : at + room - 1])
        yield list(tokens[max(0, at - (room - len(after))) : at]), after


def beginning_of(engine: Engine) -> int:
    """The token that tells a model that a text begins, as at its training."""
    begun = engine.tokenizer.encode("", begin=True)
    return begun[0] if begun else min(engine.tokenizer.end_tokens, default=0)
