"""Answers to the same few prompts at each evaluation, so that a person watches the model learn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from plugins._tuning_backend import Backend
from workbench.plugin import JobContext, PromptTexts, Side

#: Held-out examples that are answered where no prompts were given.
_SHOWN = 3
#: Tokens of an answer at most: enough to see, and cheap at each evaluation.
_LONGEST = 48


@dataclass(frozen=True, slots=True)
class Asked:
    """A prompt as tokens, its text, and the answer that is known to be right, where one is."""

    ids: tuple[int, ...]
    prompt: str
    expected: str = ""
    expected_ids: tuple[int, ...] = ()


class Samples:
    """The prompts of one run.

    Args:
        prompts: Given by the person; where empty, held-out examples are asked, or else trained ones.
    """

    def __init__(
        self, job: JobContext, texts: PromptTexts, prompts: Sequence[str], sides: Sequence[Side]
    ) -> None:
        self._job = job
        self._texts = texts
        self.asked = [Asked(tuple(texts.prompt(each)), each) for each in prompts]
        for side in sides:
            if not self.asked:
                self.asked = [
                    found for number in side.examples[:_SHOWN] if (found := example(texts, side, int(number)))
                ]

    def answer(self, backend: Backend, step: int) -> None:
        """Have the model answer every prompt, and report what it said."""
        if not self.asked:
            return
        self._job.check()
        answers = backend.generate([each.ids for each in self.asked], _LONGEST)
        for asked, ids in zip(self.asked, answers, strict=True):
            self._job.sample(asked.prompt, self._texts.text(ids), step=step, expected=asked.expected)


def example(texts: PromptTexts, side: Side, number: int) -> Asked | None:
    """The prompt and the answer of an example: the tokens before what is learned first, and that.

    None where nothing stands before what is learned, or where the example is longer than is trained.
    """
    sequence = number * (2 if side.tokens.meta.pairs else 1)
    ids = side.tokens.ids(sequence)
    learned = side.tokens.trained(sequence)
    first = int(learned.argmax())
    if not first or len(ids) > side.longest:
        return None
    end = first + int((learned[first:] == 0).argmax()) if (learned[first:] == 0).any() else len(ids)
    prompt, expected = ids[:first].tolist(), ids[first:end].tolist()
    return Asked(tuple(prompt), texts.prompt_text(prompt), texts.text(expected), tuple(expected))
