"""The fixed prompts that go through a model before and after a step that may break it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from workbench.assets import PARITY_PROMPTS
from workbench.engines.request import Message, Request


class Prompt(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A conversation, and what its author calls it.

    Attributes:
        tools: Handed to the chat template, in OpenAI's form.
    """

    name: str
    messages: tuple[Message, ...]
    tools: tuple[dict[str, Any], ...] = ()

    @property
    def text(self) -> str:
        """What its turns say, as a text without roles."""
        return "\n\n".join(each.content for each in self.messages)

    def request(self) -> Request:
        """The same for an engine."""
        return Request(id=self.name, messages=self.messages, tools=self.tools)


def read_prompts(path: Path = PARITY_PROMPTS) -> tuple[Prompt, ...]:
    """Read prompts from lines of JSON; the 32 that ship with Tenfold if no others are named.

    They are in many languages and scripts, code, numbers, white space and texts that look like special
    tokens, short and long, with and without a system message, in one turn and in several, because templates
    and tokenizers break in one of these and not in the next.

    >>> prompts = read_prompts()
    >>> len(prompts), prompts[0].text
    (32, 'Hi')
    """
    return tuple(msgspec.json.decode(line, type=Prompt) for line in path.read_bytes().splitlines())
