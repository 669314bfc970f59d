"""llama.cpp's tokenizer of a loaded GGUF model."""

from __future__ import annotations

import ctypes
from typing import Any

from workbench.engines.errors import RequestError

_LONGEST_PIECE = 1024


class LlamaTokenizer:
    """A `base.Tokenizer` over a model's own vocabulary; it lives as long as the model does."""

    def __init__(self, api: Any, vocab: Any) -> None:
        self._api = api
        self._vocab = vocab
        self.vocabulary = int(api.llama_vocab_n_tokens(vocab))
        self._pieces: dict[int, bytes] = {}
        self._raw: dict[int, bytes] = {}
        self.end_tokens = frozenset(
            token for token in range(self.vocabulary) if api.llama_vocab_is_eog(vocab, token)
        )
        self.special_texts = {
            name: self.raw_piece(token).decode("utf-8", errors="replace")
            for name, token in (
                ("bos_token", int(api.llama_vocab_bos(vocab))),
                ("eos_token", int(api.llama_vocab_eos(vocab))),
            )
            if token >= 0
        }

    def encode(self, text: str, *, begin: bool) -> list[int]:
        raw = text.encode("utf-8", errors="replace")
        size = len(raw) + 8
        while True:
            tokens = (ctypes.c_int32 * size)()
            count = self._api.llama_tokenize(self._vocab, raw, len(raw), tokens, size, begin, True)
            if count >= 0:
                return list(tokens[:count])
            if -count <= size:
                raise RequestError("The text can't be turned into tokens.")
            size = -count

    def piece(self, token: int) -> bytes:
        found = self._pieces.get(token)
        if found is None:
            found = self._pieces[token] = self._read(token, special=False)
        return found

    def raw_piece(self, token: int) -> bytes:
        found = self._raw.get(token)
        if found is None:
            found = self._raw[token] = self._read(token, special=True)
        return found

    def is_special(self, token: int) -> bool:
        return bool(self._api.llama_vocab_is_control(self._vocab, token))

    def _read(self, token: int, *, special: bool) -> bytes:
        size = _LONGEST_PIECE
        while True:
            buffer = ctypes.create_string_buffer(size)
            count = self._api.llama_token_to_piece(self._vocab, token, buffer, size, 0, special)
            if count >= 0:
                return buffer.raw[:count]
            size = -count
