"""A Hugging Face tokenizer of a local folder, as torch and MLX models bring it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from workbench.errors import MissingExtraError, ModelFileError


class HfTokenizer:
    """A `base.Tokenizer` over a folder; nothing is fetched, and no code of the folder is run.

    Args:
        folder: A model's folder.
        vocabulary: How many logits the model makes, where that is more than the tokenizer knows.

    Raises:
        ModelFileError: The folder has no tokenizer that can be read.
        MissingExtraError: transformers is not installed.
    """

    def __init__(self, folder: Path, vocabulary: int = 0) -> None:
        try:
            from transformers import AutoTokenizer
        except ImportError as error:
            raise MissingExtraError("transformers, which reads this model's tokenizer,", "torch") from error
        try:
            self._own: Any = AutoTokenizer.from_pretrained(
                str(folder), local_files_only=True, trust_remote_code=False
            )
        except Exception as error:
            raise ModelFileError(
                folder, f"its tokenizer can't be read: {type(error).__name__}: {error}"
            ) from error
        self._folder = folder
        self._added = {token: str(added) for token, added in self._own.added_tokens_decoder.items()}
        self._special = {token for token, added in self._own.added_tokens_decoder.items() if added.special}
        self._characters = {sign: byte for byte, sign in _bytes_to_signs().items()}
        self._byte_level = _is_byte_level(self._own)
        self._pieces: dict[int, bytes] = {}
        self.vocabulary = max(len(self._own), vocabulary)
        self.end_tokens = frozenset(_end_tokens(folder, self._own))
        self.special_texts = {
            name: str(value) for name, value in self._own.special_tokens_map.items() if isinstance(value, str)
        }

    @property
    def chat_template(self) -> str | None:
        """The folder's own chat template; where it has several, the one called default."""
        found = self._own.chat_template
        return found.get("default") if isinstance(found, dict) else found

    def encode(self, text: str, *, begin: bool) -> list[int]:
        tokens: list[int] = self._own.encode(text, add_special_tokens=False)
        first = self._own.bos_token_id
        if begin and first is not None and self._begins() and tokens[:1] != [first]:
            tokens = [first, *tokens]
        return tokens

    def encode_many(self, texts: Sequence[str]) -> list[tuple[list[int], list[int]]]:
        """Each text's tokens, and the character at which each of them begins; nothing is put before or after.

        Raises:
            ModelFileError: The tokenizer has no fast form, which alone knows where its tokens begin.
        """
        if not self._own.is_fast:
            raise ModelFileError(self._folder, "its tokenizer can't say where its tokens begin")
        if not texts:
            return []
        found = self._own(list(texts), add_special_tokens=False, return_offsets_mapping=True)
        return [
            (ids, [start for start, _end in places])
            for ids, places in zip(found["input_ids"], found["offset_mapping"], strict=True)
        ]

    def piece(self, token: int) -> bytes:
        return b"" if token in self._special else self.raw_piece(token)

    def raw_piece(self, token: int) -> bytes:
        found = self._pieces.get(token)
        if found is None:
            found = self._pieces[token] = self._bytes(token)
        return found

    def is_special(self, token: int) -> bool:
        return token in self._special

    @property
    def added_texts(self) -> tuple[str, ...]:
        """The texts of the special tokens, as templates write them."""
        return tuple(self._added[each] for each in sorted(self._special))

    def _begins(self) -> bool:
        """Whether the tokenizer itself would put the begin-of-text token before a text."""
        return self._own.bos_token_id in self._own.encode("a", add_special_tokens=True)

    def _bytes(self, token: int) -> bytes:
        if token in self._added:
            return self._added[token].encode()
        text = self._own.convert_ids_to_tokens(token) if token < len(self._own) else None
        if text is None:
            return b""
        if self._byte_level:
            return b"".join(
                bytes([self._characters[sign]]) if sign in self._characters else sign.encode()
                for sign in text
            )
        if len(text) == 6 and text.startswith("<0x") and text.endswith(">"):
            return bytes([int(text[3:5], 16)])
        return str(text).replace("\u2581", " ").encode()


def _is_byte_level(tokenizer: Any) -> bool:
    """Whether tokens are written in GPT-2's alphabet of 256 signs, one for each byte."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return False
    layout = json.loads(backend.to_str())
    return "ByteLevel" in json.dumps([layout.get("decoder"), layout.get("pre_tokenizer")])


def _bytes_to_signs() -> dict[int, str]:
    """GPT-2's alphabet: printable bytes stand for themselves, the others for signs from U+0100 on."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    signs = {byte: chr(byte) for byte in printable}
    others = [byte for byte in range(256) if byte not in signs]
    signs.update({byte: chr(0x100 + place) for place, byte in enumerate(others)})
    return signs


def _end_tokens(folder: Path, tokenizer: Any) -> set[int]:
    found = {tokenizer.eos_token_id} if tokenizer.eos_token_id is not None else set()
    for name in ("generation_config.json", "config.json"):
        try:
            value = json.loads((folder / name).read_text(encoding="utf-8")).get("eos_token_id")
        except (OSError, ValueError, AttributeError):
            continue
        values = value if isinstance(value, list) else [value]
        found |= {each for each in values if isinstance(each, int)}
    return found
