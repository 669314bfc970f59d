"""Looks for a chat template that a step altered or lost."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import dropwhile

from workbench.chat.divergence import first_difference
from workbench.measure.card import ParityCheck
from workbench.measure.parity_prompts import Prompt
from workbench.measure.parity_reading import Reading, quoted

NAME = "chat template"


def check_template(prompts: Sequence[Prompt], source: Reading, result: Reading) -> ParityCheck:
    """Compare what the chat templates make of conversations, to the byte.

    Begin-of-text tokens at the front are left to `check_marks`, and the same text in other tokens to
    `check_tokenizer`: together the three compare all tokens exactly, and each names what is broken.
    """
    if not source.has_template:
        return ParityCheck(name=NAME, result="not tested", finding="The source has no chat template.")
    if not result.has_template:
        return ParityCheck(name=NAME, result="failed", finding="The chat template is lost.")
    for place, prompt in enumerate(prompts):
        problem = _difference(place, source, result)
        if problem is not None:
            return ParityCheck(name=NAME, result="failed", finding=f"{problem} (prompt “{prompt.name}”).")
    compared = len(prompts) - source.conversations.count(None)
    return ParityCheck(name=NAME, result="passed", finding=f"{compared} conversations become the same texts.")


def _difference(place: int, source: Reading, result: Reading) -> str | None:
    one, other = source.conversations[place], result.conversations[place]
    if one is None or other is None:
        if other is not None:
            return "A conversation is taken that the source's template refuses"
        return None if one is None else f"A conversation is refused: {result.refusals[place].rstrip('.')}"
    before, after = _text(source, one), _text(result, other)
    at = first_difference(before, after)
    if at is None:
        return None
    return f"It writes {quoted(after, at)} where the source's writes {quoted(before, at)}"


def _text(reading: Reading, tokens: Sequence[int]) -> bytes:
    """The text of a conversation without the begin-of-text tokens before it."""
    return b"".join(dropwhile(reading.begin.__eq__, reading.written(tokens)))
