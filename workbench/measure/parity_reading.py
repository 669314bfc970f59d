"""What a model makes of prompts before it computes anything: the tokens of its template and tokenizer."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from workbench.engines.base import Engine, Tokenizer
from workbench.engines.errors import TemplateError
from workbench.engines.request import EngineName
from workbench.measure.parity_prompts import Prompt

#: How SentencePiece writes a space. In a token that was added later, one library keeps the sign and another
#: gives the space that it means.
_LOW_LINE = "\u2581".encode()
#: Bytes that are quoted before and after a difference.
_QUOTED = 24
#: Longest token, in bytes, that is quoted whole.
_LONGEST = 60


@dataclass(frozen=True, slots=True)
class Reading:
    """A model's view of some prompts, one entry for each.

    Attributes:
        tokenizer: The model's.
        engine: What runs it.
        has_template: Whether it can hold conversations.
        conversations: The tokens of the conversation; None where the template refuses it.
        refusals: Why it does; empty where it does not.
        texts: The tokens of the prompt's plain text, as the tokenizer begins and ends texts by itself.
        bare: The same with nothing put before or after.
    """

    tokenizer: Tokenizer
    engine: EngineName
    has_template: bool
    conversations: tuple[tuple[int, ...] | None, ...]
    refusals: tuple[str, ...]
    texts: tuple[tuple[int, ...], ...]
    bare: tuple[tuple[int, ...], ...]

    @property
    def begin(self) -> bytes:
        """The begin-of-text token as it is written; empty where the model has none."""
        return self.tokenizer.special_texts.get("bos_token", "").encode()

    def written(self, tokens: Iterable[int]) -> list[bytes]:
        """The tokens as they are written, special ones too."""
        return [written(self.tokenizer, each) for each in tokens]


def read(engine: Engine, prompts: Sequence[Prompt]) -> Reading:
    """Put prompts through an engine's template and tokenizer."""
    has_template = engine.report.has_template
    conversations: list[tuple[int, ...] | None] = []
    refusals = []
    for prompt in prompts:
        tokens, refusal = None, ""
        if has_template:
            try:
                tokens = tuple(engine.prompt_tokens(prompt.request()))
            except TemplateError as error:
                refusal = str(error)
        conversations.append(tokens)
        refusals.append(refusal)
    tokenizer = engine.tokenizer
    return Reading(
        tokenizer=tokenizer,
        engine=engine.name,
        has_template=has_template,
        conversations=tuple(conversations),
        refusals=tuple(refusals),
        texts=tuple(tuple(tokenizer.encode(each.text, begin=True)) for each in prompts),
        bare=tuple(tuple(tokenizer.encode(each.text, begin=False)) for each in prompts),
    )


def written(tokenizer: Tokenizer, token: int) -> bytes:
    """A token as it is written, special ones too, in a form that all libraries agree on."""
    return tokenizer.raw_piece(token).replace(_LOW_LINE, b" ")


def quoted(text: bytes, at: int | None = None) -> str:
    """A token or, around a place, a part of a text, with line ends and the like made visible.

    >>> quoted(b" the\\n"), quoted(b"0123456789" * 9, at=50)
    ('“ the\\\\n”', '“…678901234567890123456789012345678901234567890123…”')
    """
    begin, end = (0, _LONGEST) if at is None else (max(0, at - _QUOTED), at + _QUOTED)
    # Half a character at a cut is no difference.
    part = json.dumps(text[begin:end].decode("utf-8", errors="replace"), ensure_ascii=False)[1:-1]
    return f"“{'…' if begin else ''}{part}{'…' if end < len(text) else ''}”"
