"""Tokenized examples on disk: made once, memory-mapped ever after.

A folder with flat arrays, so that a set larger than the memory is read a page at a time:

- `ids.bin`: uint32, every sequence behind the other.
- `trained.bin`: uint8, one for each token: whether it is learned.
- `ends.npy`: int64, where each sequence ends in the two above.
- `rows.npy`: the row of each example: file, line, content hash; see `ROW`.
- `bad.jsonl`: what could not be used, with file, line and reason.
- `meta.json`: see `Meta`; written last, so that its presence means the set is whole.

A preference takes two sequences, the better one first; every other example takes one.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from workbench.data.errors import DataError

ROW = np.dtype([("file", "<u4"), ("line", "<u8"), ("hash", "<u8")])
META, IDS, TRAINED, ENDS, ROWS, BAD = (
    "meta.json",
    "ids.bin",
    "trained.bin",
    "ends.npy",
    "rows.npy",
    "bad.jsonl",
)
_HASHES = float(1 << 64)


class BadRow(Struct, frozen=True, kw_only=True):
    """A row that can't be used."""

    file: str
    line: int
    problem: str


class Meta(Struct, frozen=True, kw_only=True):
    """What a set is.

    Attributes:
        key: The hash of everything that it was made from.
        files: Names of the files, as `rows` counts them.
        kind: What the rows are.
        pairs: Whether each example takes two sequences.
        examples: How many.
        tokens: All tokens.
        trained: Tokens that are learned.
        bad: Rows that could not be used.
    """

    key: str
    files: tuple[str, ...]
    kind: str
    pairs: bool
    examples: int
    tokens: int
    trained: int
    bad: int


class TokenSet:
    """A tokenized dataset, opened for reading.

    Raises:
        DataError: The folder holds no whole set.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            self.meta = msgspec.json.decode((folder / META).read_bytes(), type=Meta)
            self.ends: NDArray[np.int64] = np.load(folder / ENDS, mmap_mode="r", allow_pickle=False)
            self.rows = np.load(folder / ROWS, mmap_mode="r", allow_pickle=False)
            self._ids = _mapped(folder / IDS, np.dtype("<u4"), self.meta.tokens)
            self._trained = _mapped(folder / TRAINED, np.dtype("u1"), self.meta.tokens)
        except (OSError, ValueError, msgspec.MsgspecError) as error:
            raise DataError(
                f"The tokenized set in {folder} is not whole: {error}.",
                remedy="Delete the folder; it is made again from the data.",
            ) from error

    def __len__(self) -> int:
        """How many examples there are."""
        return self.meta.examples

    @property
    def sequences(self) -> int:
        """How many sequences: two for each preference."""
        return len(self.ends)

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each sequence, shape (sequences,)."""
        return np.diff(self.ends, prepend=0)

    def ids(self, sequence: int) -> NDArray[np.uint32]:
        """A sequence's tokens, shape (length,)."""
        start, end = self._place(sequence)
        return self._ids[start:end]

    def trained(self, sequence: int) -> NDArray[np.uint8]:
        """Which of them are learned, 0 or 1, shape (length,)."""
        start, end = self._place(sequence)
        return self._trained[start:end]

    def held_out(self, share: float) -> NDArray[np.bool_]:
        """Which examples are kept out of training, shape (examples,).

        Decided by each row's content alone: rows that are added change nothing for those that were there, and
        rows that are the same are never on both sides.
        """
        return np.asarray(self.rows["hash"] / _HASHES < share)

    def bad_rows(self) -> list[BadRow]:
        """What could not be used."""
        text = (self.folder / BAD).read_bytes()
        return [msgspec.json.decode(line, type=BadRow) for line in text.splitlines()]

    def _place(self, sequence: int) -> tuple[int, int]:
        return (int(self.ends[sequence - 1]) if sequence else 0), int(self.ends[sequence])


def _mapped(path: Path, kind: np.dtype[Any], count: int) -> NDArray[Any]:
    if path.stat().st_size != count * kind.itemsize:
        raise ValueError(f"{path.name} has the wrong length")
    if not count:
        return np.empty(0, dtype=kind)
    return np.memmap(path, dtype=kind, mode="r")
