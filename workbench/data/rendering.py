"""Turns examples into the texts that the model sees, and says which parts of them are learned."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from workbench.data.errors import BadRowError
from workbench.data.examples import Chat, Completion, Example, Preference, Text
from workbench.engines.errors import TemplateError
from workbench.engines.request import Message
from workbench.engines.templates import ChatTemplate

#: What is learned: every answer of a conversation, its last one, or prompts as well. Of a preference it is
#: always the last answer, of plain text everything.
Trained = Literal["all-answers", "last-answer", "everything"]


class Rendered(Struct, frozen=True):
    """A text, and the parts of it that are learned, as (start, end) in characters, in order."""

    text: str
    trained: tuple[tuple[int, int], ...]


class Renderer:
    """Applies a model's chat template.

    Args:
        template: None where the model brings none; conversations are refused then, and prompts with their
            completion are joined as they are.
        special_texts: The tokenizer's special tokens by name; `bos_token` and `eos_token` are used.
        trained: What is learned.
    """

    def __init__(
        self, template: ChatTemplate | None, special_texts: dict[str, str], trained: Trained = "all-answers"
    ) -> None:
        self._template = template
        self._begin = special_texts.get("bos_token", "")
        self._end = special_texts.get("eos_token", "")
        self._trained = trained

    def render(self, example: Example) -> tuple[Rendered, ...]:
        """One text; for a preference two, the better one first.

        Raises:
            BadRowError: The template refuses the conversation, or the model has none.
        """
        match example:
            case Text(text=text):
                whole = f"{self._begin}{text}{self._end}"
                return (Rendered(whole, ((len(self._begin), len(whole)),)),)
            case Completion(prompt=prompt, completion=completion):
                if self._template is None:
                    return (self._joined(prompt, completion),)
                turns = (
                    Message(role="user", content=prompt),
                    Message(role="assistant", content=completion),
                )
                trained: Trained = "everything" if self._trained == "everything" else "last-answer"
                return (self._conversation(turns, trained),)
            case Chat(messages=messages):
                return (self._conversation(messages, self._trained),)
            case Preference(messages=messages, chosen=chosen, rejected=rejected):
                answers = (Message(role="assistant", content=each) for each in (chosen, rejected))
                better, worse = (self._conversation((*messages, each), "last-answer") for each in answers)
                return better, worse

    def _joined(self, prompt: str, completion: str) -> Rendered:
        head = f"{self._begin}{prompt}"
        whole = f"{head}{completion}{self._end}"
        start = len(self._begin) if self._trained == "everything" else len(head)
        return Rendered(whole, ((start, len(whole)),))

    def _conversation(self, messages: tuple[Message, ...], trained: Trained) -> Rendered:
        if self._template is None:
            raise BadRowError("The model has no chat template, so it can't be taught conversations.")
        try:
            whole = self._template.render(messages, begin_answer=False)
            if trained == "everything":
                return Rendered(whole, ((0, len(whole)),))
            answers = [at for at, turn in enumerate(messages) if turn.role == "assistant"]
            chosen = answers[-1:] if trained == "last-answer" else answers
            return Rendered(whole, tuple(self._span(whole, messages, at) for at in chosen))
        except TemplateError as error:
            raise BadRowError(f"The chat template refuses it: {error}") from error

    def _span(self, whole: str, messages: tuple[Message, ...], at: int) -> tuple[int, int]:
        """Where an answer stands, from behind what begins it to its end-of-turn mark."""
        if self._template is None:
            raise AssertionError("only called with a template")
        before = self._template.render(messages[:at], begin_answer=True)
        last = at == len(messages) - 1
        through = whole if last else self._template.render(messages[: at + 1], begin_answer=False)
        if not (whole.startswith(before) and whole.startswith(through)):
            # Templates that rewrite earlier turns (cutting out what was thought) give no place for them.
            raise BadRowError(
                "The chat template writes this answer differently once more follows."
                " Train the last answer of each conversation alone."
            )
        end = len(through)
        if not through.endswith(messages[at].content):
            # What stands behind the end-of-turn mark is never generated: the answer ended with the mark.
            end = len(through.rstrip())
        return len(before), end
