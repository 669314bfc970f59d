"""Turns prompts into tokens and tokens into text, as a model's folder says, for looking at a training."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from workbench.engines.hf_tokenizer import HfTokenizer
from workbench.engines.request import Message
from workbench.engines.templates import ChatTemplate

#: A sign of the private use area, which no template writes.
_MARK = "\ue000"


class PromptTexts:
    """The tokenizer and the chat template of a model's folder.

    Args:
        folder: The model's folder.
        template: Used instead of the folder's own chat template.

    Raises:
        ModelFileError: The folder has no tokenizer that can be read.
        TemplateError: The template is not valid.
    """

    def __init__(self, folder: Path, template: str | None = None) -> None:
        self._tokenizer = HfTokenizer(folder)
        source = template or self._tokenizer.chat_template
        self._template = ChatTemplate(source, self._tokenizer.special_texts) if source else None

    @property
    def end_tokens(self) -> frozenset[int]:
        """Tokens that end an answer."""
        return self._tokenizer.end_tokens

    def prompt(self, text: str) -> list[int]:
        """A prompt's tokens, up to where the answer begins; through the chat template where there is one.

        Raises:
            TemplateError: The template refuses the prompt.
        """
        if self._template is None:
            return self._tokenizer.encode(text, begin=True)
        rendered = self._template.render((Message(role="user", content=text),))
        return self._tokenizer.encode(rendered, begin=False)

    def plain(self, text: str) -> list[int]:
        """A text's tokens without a template, behind the begin-of-text token where the model has one."""
        return self._tokenizer.encode(text, begin=True)

    def text(self, ids: Sequence[int]) -> str:
        """What tokens say, without special tokens and white space around."""
        return b"".join(self._tokenizer.piece(each) for each in ids).decode("utf-8", "replace").strip()

    def prompt_text(self, ids: Sequence[int]) -> str:
        """What the last turn before an answer says: a prompt as the person knows it, without its template."""
        whole = b"".join(self._tokenizer.raw_piece(each) for each in ids).decode("utf-8", "replace")
        if self._template is None:
            return self.text(ids)
        head, tail = self._around
        whole = whole.removesuffix(tail)
        return whole.rpartition(head)[2].strip() if head else whole.strip()

    @cached_property
    def _around(self) -> tuple[str, str]:
        """What the template puts before a person's turn, from the last special token on, and after it."""
        if self._template is None:
            return "", ""
        rendered = self._template.render((Message(role="user", content=_MARK),))
        head, _, tail = rendered.partition(_MARK)
        places = [head.rfind(each) for each in self._tokenizer.added_texts if each]
        return head[max([0, *places]) :], tail
