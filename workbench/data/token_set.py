"""Tokenized examples on disk: made once, memory-mapped ever after.

A folder with flat arrays, so that a set larger than the memory is read a page at a time:

- `ids.bin`: uint32, every sequence behind the other.
- `trained.bin`: uint8, one for each token: whether it is learned. The first token of a sequence never is, as
  nothing precedes it that could predict it.
- `sequences.bin`: where each sequence ends in the two above, and how many of its tokens are learned.
- `rows.bin`: the row of each example: file, line, content hash; see `ROW`.
- `bad.jsonl`: what could not be used, with file, line and reason.
- `meta.json`: see `Meta`; written last, so that its presence means the set is whole.

A preference takes two sequences, the better one first; every other example takes one.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from workbench.data.errors import DataError
from workbench.data.layout import Layout

ROW = np.dtype([("file", "<u4"), ("line", "<u8"), ("hash", "<u8")])
SEQUENCE = np.dtype([("end", "<i8"), ("learned", "<u8")])
META, IDS, TRAINED, SEQUENCES, ROWS, BAD = (
    "meta.json",
    "ids.bin",
    "trained.bin",
    "sequences.bin",
    "rows.bin",
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
        layouts: What the rows of each file are.
        pairs: Whether each example takes two sequences.
        examples: How many.
        tokens: All tokens.
        trained: Tokens that are learned.
        bad: Rows that could not be used.
    """

    key: str
    files: tuple[str, ...]
    layouts: tuple[Layout, ...]
    pairs: bool
    examples: int
    tokens: int
    trained: int
    bad: int

    @property
    def kind(self) -> str:
        """What the rows are; several kinds are joined by a comma."""
        return ", ".join(dict.fromkeys(layout.kind for layout in self.layouts))


class TokenSet:
    """A tokenized dataset, opened for reading.

    Raises:
        DataError: The folder holds no whole set.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            self.meta = msgspec.json.decode((folder / META).read_bytes(), type=Meta)
            sequences = self.meta.examples * (2 if self.meta.pairs else 1)
            self._sequences = _mapped(folder / SEQUENCES, SEQUENCE, sequences)
            self.rows = _mapped(folder / ROWS, ROW, self.meta.examples)
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
        return len(self._sequences)

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each sequence, shape (sequences,)."""
        return np.diff(self._sequences["end"], prepend=0)

    @property
    def example_lengths(self) -> NDArray[np.int64]:
        """Tokens of each example, shape (examples,). Of a preference those of its longer sequence count."""
        longest: NDArray[np.int64] = self.lengths.reshape(len(self), -1).max(axis=1)
        return longest

    def learned(self, limit: int) -> NDArray[np.int64]:
        """Tokens of each sequence that are learned where it is cut at `limit` tokens, shape (sequences,)."""
        found = self._sequences["learned"].astype(np.int64)
        for sequence in np.flatnonzero(self.lengths > limit).tolist():
            found[sequence] = int(self.trained(sequence)[:limit].sum())
        return found

    def ids(self, sequence: int) -> NDArray[np.uint32]:
        """A sequence's tokens, shape (length,)."""
        start, end = self._place(sequence)
        return self._ids[start:end]

    def ids_between(self, first: int, end: int) -> NDArray[np.uint32]:
        """The tokens of the sequences from `first` up to before `end`, one behind the other."""
        return self._ids[self._place(first)[0] : self._place(end - 1)[1]]

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

    def place(self, example: int) -> tuple[str, int]:
        """The file of an example, and its line there."""
        row = self.rows[example]
        return self.meta.files[int(row["file"])], int(row["line"])

    def weights_of(self, files: Sequence[float]) -> NDArray[np.float64]:
        """How often an epoch has each example, from how often it has the rows of each file.

        Returns:
            Shape (examples,), as `epoch_batches` takes it.
        """
        found: NDArray[np.float64] = np.asarray(files, dtype=np.float64)[self.rows["file"]]
        return found

    def bad_rows(self, most: int | None = None) -> list[BadRow]:
        """What could not be used, in the order of the files; the first `most`."""
        with (self.folder / BAD).open("rb") as file:
            return [msgspec.json.decode(line, type=BadRow) for line in islice(file, most)]

    def _place(self, sequence: int) -> tuple[int, int]:
        ends = self._sequences["end"]
        return (int(ends[sequence - 1]) if sequence else 0), int(ends[sequence])


def _mapped(path: Path, kind: np.dtype[Any], count: int) -> NDArray[Any]:
    if path.stat().st_size != count * kind.itemsize:
        raise ValueError(f"{path.name} has the wrong length")
    # As a plain array: every slice of a memmap object costs microseconds more.
    return np.asarray(np.memmap(path, dtype=kind, mode="r"))
