"""Looks for begin- and end-of-text tokens that a step doubled or lost."""

from __future__ import annotations

from collections.abc import Sequence

from workbench.measure.card import ParityCheck
from workbench.measure.parity_prompts import Prompt
from workbench.measure.parity_reading import Reading, quoted

NAME = "begin and end tokens"


def check_marks(prompts: Sequence[Prompt], source: Reading, result: Reading) -> ParityCheck:
    """Count begin- and end-of-text tokens, and compare which tokens end an answer.

    One is doubled where the template writes it and the tokenizer puts another, and lost where each leaves it
    to the other, or where an answer no longer ends with it.
    """
    problem = _miscounted(prompts, source, result) or _ends_otherwise(source, result)
    if problem is not None:
        return ParityCheck(name=NAME, result="failed", finding=problem)
    return ParityCheck(name=NAME, result="passed", finding="None is doubled or lost.")


def _miscounted(prompts: Sequence[Prompt], source: Reading, result: Reading) -> str | None:
    ends = {mark for each in (source, result) for mark in each.written(each.tokenizer.end_tokens)}
    marks = sorted((ends | {source.begin, result.begin}) - {b""})
    views = (
        ("conversation", source.conversations, result.conversations),
        ("plain text", source.texts, result.texts),
    )
    for what, before, after in views:
        for prompt, one, other in zip(prompts, before, after, strict=True):
            # What the same tokens hold need not be counted.
            if one is None or other is None or one == other:
                continue
            first, second = source.written(one), result.written(other)
            for mark in marks:
                was, now = first.count(mark), second.count(mark)
                if was != now:
                    how = "lost" if now < was else "doubled" if was else "added"
                    return (
                        f"{quoted(mark)} is {how}: the {what} of the prompt"
                        f" “{prompt.name}” has it {_times(now)}, {_times(was)} at the source."
                    )
    return None


def _ends_otherwise(source: Reading, result: Reading) -> str | None:
    """Whether other tokens end an answer.

    llama.cpp adds to the end tokens that a file names what it knows by its text. So it may have more, as long
    as they are special tokens; and of its own only those can be lost in another format that the model names
    as its end or writes in every conversation.
    """
    needed = set(source.tokenizer.end_tokens)
    if source.engine == "llama.cpp" != result.engine:
        named = source.tokenizer.encode(source.tokenizer.special_texts.get("eos_token", ""), begin=False)
        talks = [each for each in source.conversations if each]
        used = {each for each in needed if talks and all(each in talk for talk in talks)}
        needed &= used.union(named)
    lost = sorted(needed - result.tokenizer.end_tokens)
    if lost:
        return f"{quoted(source.written(lost)[0])} is lost as an end: answers no longer end with it."
    more = sorted(result.tokenizer.end_tokens - source.tokenizer.end_tokens)
    ordinary = [each for each in more if not result.tokenizer.is_special(each)]
    if ordinary:
        return f"{quoted(result.written(ordinary)[0])}, an ordinary token, ends answers."
    return None


def _times(count: int) -> str:
    return {0: "never", 1: "once", 2: "twice"}.get(count, f"{count} times")
