"""What one row teaches."""

from __future__ import annotations

import hashlib

import msgspec
from msgspec import Struct

from workbench.engines.request import Message


class Chat(Struct, frozen=True, kw_only=True, tag="chat"):
    """A conversation; the assistant's turns are learned."""

    messages: tuple[Message, ...]


class Completion(Struct, frozen=True, kw_only=True, tag="completion"):
    """A prompt, and what follows it, which is learned."""

    prompt: str
    completion: str


class Preference(Struct, frozen=True, kw_only=True, tag="preference"):
    """Two answers to one conversation; the first is to become likelier than the second."""

    messages: tuple[Message, ...]
    chosen: str
    rejected: str


class Text(Struct, frozen=True, kw_only=True, tag="text"):
    """Text that is learned as it is."""

    text: str


Example = Chat | Completion | Preference | Text

_ENCODER = msgspec.json.Encoder()


def content_hash(example: Example) -> int:
    """64 bits of the content, the same on every machine and for every place of the row in its file.

    A prompt with its completion has the hash of the conversation that it makes, whatever form its row has.
    """
    if isinstance(example, Completion):
        turns = (
            Message(role="user", content=example.prompt),
            Message(role="assistant", content=example.completion),
        )
        example = Chat(messages=turns)
    return int.from_bytes(hashlib.blake2b(_ENCODER.encode(example), digest_size=8).digest(), "little")
