"""Plants faults into copies of the small GGUF model, as broken converters have left them."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workbench.library.gguf_header import read_gguf_header

#: Heads of the matrices whose rows llama.cpp wants in another order than transformers.
HEADS = {"attn_q": 4, "attn_k": 2}
LAYERS = range(2)


class Bytes:
    """A GGUF file in memory. Faults change bytes and move none, so that nothing has to be written anew."""

    def __init__(self, path: Path) -> None:
        self.raw = bytearray(path.read_bytes())
        self._header = read_gguf_header(path)

    def tensor(self, name: str) -> NDArray[np.float16]:
        """A matrix of F16, one row for each output; writing to it changes the file."""
        found = next(each for each in self._header.tensors if each.name == name)
        flat = np.frombuffer(self.raw, np.float16, found.parameters, self._header.data_offset + found.offset)
        return flat.reshape(found.shape[::-1])

    def set(self, key: str, value: bytes) -> None:
        """Set a number."""
        at = self._value(key)
        self.raw[at : at + len(value)] = value

    def change(self, key: str, change: Callable[[bytes], bytes], item: int | None = None) -> None:
        """Change a string, or one of an array of them, to another one of the same length."""
        at = self._value(key)
        if item is not None:
            at += 12  # the items' type, and how many there are
            for _ in range(item):
                at += 8 + self._length(at)
        begin, end = at + 8, at + 8 + self._length(at)
        before = bytes(self.raw[begin:end])
        after = change(before)
        assert len(after) == len(before)
        assert after != before
        self.raw[begin:end] = after

    def _value(self, key: str) -> int:
        written = struct.pack("<Q", len(key)) + key.encode()
        assert self.raw.count(written) == 1
        return self.raw.index(written) + len(written) + 4  # the value's type

    def _length(self, at: int) -> int:
        return int(struct.unpack_from("<Q", self.raw, at)[0])


Fault = Callable[[Bytes], None]


def planted(source: Path, target: Path, fault: Fault) -> Path:
    """A copy of a file with a fault in it."""
    file = Bytes(source)
    fault(file)
    target.write_bytes(file.raw)
    return target


def template_altered(file: Bytes) -> None:
    """The template begins the assistant's turn with another word."""
    file.change("tokenizer.chat_template", lambda text: text.replace(b"|>assistant", b"|>Assistant"))


def begins_texts(file: Bytes) -> None:
    """The tokenizer puts the begin-of-text token before a text."""
    file.set("tokenizer.ggml.add_bos_token", b"\x01")


def ends_with_a_word(file: Bytes) -> None:
    """The end-of-text token is an ordinary one."""
    file.set("tokenizer.ggml.eos_token_id", struct.pack("<I", 299))


def merge_altered(file: Bytes) -> None:
    """One of the last merges joins other pieces."""
    file.change("tokenizer.ggml.merges", lambda text: b"q" + text[1:], 44)


def token_altered(file: Bytes) -> None:
    """One token stands for another text."""
    file.change("tokenizer.ggml.tokens", lambda text: b"q" * len(text), 300)


def output_turned(file: Bytes) -> None:
    """The weights of an attention's output are stored as inputs × outputs."""
    weights = file.tensor("blk.0.attn_output.weight")
    weights[:] = weights.T.copy()


def rotary_order_lost(file: Bytes) -> None:
    """Queries and keys are as transformers has them: first halves of all pairs, then second halves."""
    for name, heads in HEADS.items():
        for layer in LAYERS:
            weights = file.tensor(f"blk.{layer}.{name}.weight")
            pairs = weights.reshape(heads, -1, 2, weights.shape[1])
            weights[:] = pairs.swapaxes(1, 2).reshape(weights.shape).copy()


def not_a_number(file: Bytes) -> None:
    """A weight is damaged so that nothing can be computed from it."""
    file.tensor("blk.1.ffn_down.weight")[0, 0] = np.nan
