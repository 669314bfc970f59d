"""Reads rows out of files of examples, one at a time, however large the file is."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from workbench.data.errors import DataError
from workbench.errors import MissingExtraError

#: A row longer than this is no example, and a line of a hostile file must not fill the memory.
LONGEST_ROW_BYTES = 10_000_000
_PARQUET_ROWS = 1024


@dataclass(frozen=True, slots=True)
class RawRow:
    """One row as the file has it.

    Attributes:
        line: Where it begins, from 1: the line in JSONL and text, the record in CSV, JSON lists and Parquet.
        values: Its fields; None where `problem` says why it can't be read.
    """

    line: int
    values: Mapping[str, Any] | None
    problem: str = ""


def read_rows(path: Path) -> Iterator[RawRow]:
    """The rows of a file, by its ending: JSONL, JSON, CSV, TSV, Parquet or plain text.

    A row that can't be read comes with its problem, and the rows behind it follow. Plain text is cut at blank
    lines; each part is a row with the one field `text`.

    Raises:
        DataError: The file is missing, can't be read, or is of another kind.
        MissingExtraError: What reads this kind is not installed.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise DataError(
            f"{path.name} is of no kind that holds examples.",
            remedy=f"Use one of {', '.join(sorted(_READERS))}.",
        )
    if not path.is_file():
        raise DataError(f"{path} is not a file.", remedy="Check the path.")
    try:
        yield from reader(path)
    except OSError as error:
        raise DataError(f"{path} can't be read: {error.strerror or error}.") from error


def _jsonl(path: Path) -> Iterator[RawRow]:
    with path.open("rb") as file:
        for line, raw in _bounded_lines(file):
            if raw is None:
                yield RawRow(line, None, "The row is longer than 10 MB.")
            elif raw.strip():
                yield _parsed(line, raw)


def _parsed(line: int, raw: bytes) -> RawRow:
    try:
        values = json.loads(raw.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return RawRow(line, None, "The row is not valid UTF-8.")
    except (ValueError, RecursionError) as error:
        return RawRow(line, None, f"The row is not JSON: {error}.")
    return _object(line, values)


def _object(line: int, values: Any) -> RawRow:
    if not isinstance(values, dict):
        return RawRow(line, None, "The row is not an object with fields.")
    return RawRow(line, values)


def _bounded_lines(file: BinaryIO) -> Iterator[tuple[int, bytes | None]]:
    """Lines with their numbers; None for one that is too long, which is skipped without being held."""
    number = 0
    while raw := file.readline(LONGEST_ROW_BYTES + 1):
        number += 1
        if len(raw) <= LONGEST_ROW_BYTES:
            yield number, raw
            continue
        while raw and not raw.endswith(b"\n"):
            raw = file.readline(LONGEST_ROW_BYTES)
        yield number, None


def _json(path: Path) -> Iterator[RawRow]:
    """A list of objects; many files with this ending hold an object a line instead."""
    with path.open("rb") as file:
        start = file.read(4096).lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    if start != b"[":
        yield from _jsonl(path)
        return
    try:
        import ijson
    except ImportError as error:
        raise MissingExtraError("ijson, which reads lists in JSON,", "data") from error
    place = 0
    with path.open("rb") as file:
        try:
            for values in ijson.items(file, "item", use_float=True):
                place += 1
                yield _object(place, values)
        except (ijson.JSONError, UnicodeDecodeError, RecursionError) as error:
            # A list that breaks off can't be gone on with: where the next item begins is not known.
            yield RawRow(place + 1, None, f"The list is not JSON from here on: {error}.")


def _csv(path: Path, delimiter: str = ",") -> Iterator[RawRow]:
    # Bytes that are no UTF-8 come through as surrogates, so that one bad row spoils no other.
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        before = csv.field_size_limit(LONGEST_ROW_BYTES)
        try:
            reader = csv.DictReader(file, delimiter=delimiter, restkey="", strict=True)
            place = 0
            while True:
                place += 1
                try:
                    values = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    yield RawRow(place, None, f"The row is not CSV: {error}.")
                    continue
                yield _record(place, values)
        finally:
            csv.field_size_limit(before)


def _record(place: int, values: dict[str, Any]) -> RawRow:
    if "" in values:
        return RawRow(place, None, "The row has more fields than the head names.")
    found = {name: value for name, value in values.items() if value is not None}
    if any(_is_broken(value) for value in found.values()):
        return RawRow(place, None, "The row is not valid UTF-8.")
    return RawRow(place, found)


def _is_broken(text: str) -> bool:
    return any("\udc80" <= sign <= "\udcff" for sign in text)


def _tsv(path: Path) -> Iterator[RawRow]:
    return _csv(path, "\t")


def _parquet(path: Path) -> Iterator[RawRow]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtraError("pyarrow, which reads Parquet,", "data") from error
    try:
        place = 0
        with pyarrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_PARQUET_ROWS):
                for values in batch.to_pylist():
                    place += 1
                    yield RawRow(place, {name: value for name, value in values.items() if value is not None})
    except (pyarrow.ArrowException, UnicodeDecodeError) as error:
        raise DataError(f"{path.name} can't be read as Parquet: {error}.") from error


def _text(path: Path) -> Iterator[RawRow]:
    with path.open("rb") as file:
        held: list[bytes] = []
        begin = size = 0
        for line, raw in _bounded_lines(file):
            if raw is not None and raw.strip():
                begin = begin if held else line
                held.append(raw)
                size += len(raw)
                if size <= LONGEST_ROW_BYTES:
                    continue
            if held:
                yield _passage(begin, b"".join(held))
                held, size = [], 0
            if raw is None:
                yield RawRow(line, None, "The line is longer than 10 MB.")
        if held:
            yield _passage(begin, b"".join(held))


def _passage(line: int, raw: bytes) -> RawRow:
    try:
        return RawRow(line, {"text": raw.decode("utf-8-sig").strip("\r\n")})
    except UnicodeDecodeError:
        return RawRow(line, None, "The text is not valid UTF-8.")


_READERS: dict[str, Callable[[Path], Iterator[RawRow]]] = {
    ".jsonl": _jsonl,
    ".ndjson": _jsonl,
    ".json": _json,
    ".csv": _csv,
    ".tsv": _tsv,
    ".parquet": _parquet,
    ".txt": _text,
    ".md": _text,
}
