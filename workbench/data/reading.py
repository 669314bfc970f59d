"""Reads rows out of files of examples, one at a time, however large the file is."""

from __future__ import annotations

import codecs
import csv
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from workbench.data.errors import DataError
from workbench.data.plugin_reader import PluginReader, data_readers, reader_of
from workbench.data.plugin_rows import plugin_rows
from workbench.errors import MissingExtraError

#: A row longer than this is no example, and a line of a hostile file must not fill the memory.
LONGEST_ROW_BYTES = 10_000_000
TOO_LONG = "The row is longer than 10 MB."
_NO_UTF8 = "The row is not valid UTF-8."
_PARQUET_ROWS = 256
#: Unless told otherwise, pyarrow reads whole column chunks, which are as long as their writer liked.
_PARQUET_BUFFER = 1 << 18
#: How much ijson reads at once.
_JSON_BUFFER = 1 << 16
#: Stands for bytes that are no UTF-8 where a parser takes valid text alone; Unicode promises never to give
#: this code point to a character.
_BROKEN = "\uffff"


@dataclass(frozen=True, slots=True)
class RawRow:
    """One row as the file has it.

    Attributes:
        line: Where it begins, from 1: the line in JSONL, tables and text, the item in JSON lists and Parquet,
            the row that a plugin's reader gave.
        values: Its fields; None where `problem` says why it can't be read.
        size: About how many bytes of text it is.
    """

    line: int
    values: Mapping[str, Any] | None
    problem: str = ""
    size: int = 0


def read_rows(path: Path) -> Iterator[RawRow]:
    """The rows of a file, by its ending: JSONL, JSON, CSV, TSV, Parquet, plain text, or what a plugin reads.

    A row that can't be read comes with its problem, and the rows behind it follow. Plain text is cut at blank
    lines; each part is a row with the one field `text`. At most a few rows are held at a time.

    Raises:
        DataError: The file is missing, can't be read, or is of another kind; a plugin's reader fails.
        MissingExtraError: What reads this kind is not installed.
    """
    read = _READERS.get(path.suffix.lower())
    if read is None and (foreign := reader_of(path)) is not None:
        read = partial(_of_plugin, foreign)
    if read is None:
        also = {suffix for each in data_readers() for suffix in each.suffixes}
        raise DataError(
            f"{path.name} is of no kind that holds examples.",
            remedy=f"Use one of {', '.join(sorted({*_READERS, *also}))}, or a plugin that reads such files.",
        )
    if not path.is_file():
        raise DataError(f"{path} is not a file.", remedy="Check the path.")
    try:
        yield from read(path)
    except OSError as error:
        raise DataError(f"{path} can't be read: {error.strerror or error}.") from error


def _jsonl(path: Path) -> Iterator[RawRow]:
    with path.open("rb") as file:
        for line, raw in _bounded_lines(file):
            if raw is None:
                yield RawRow(line, None, TOO_LONG)
            elif raw.strip():
                yield _parsed(line, raw)


def _parsed(line: int, raw: bytes) -> RawRow:
    try:
        values = json.loads(raw.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return RawRow(line, None, _NO_UTF8, len(raw))
    except (ValueError, RecursionError) as error:
        return RawRow(line, None, f"The row is not JSON: {error}.", len(raw))
    return _object(line, values, len(raw))


def _object(line: int, values: Any, size: int) -> RawRow:
    if not isinstance(values, dict):
        return RawRow(line, None, "The row is not an object with fields.", size)
    return RawRow(line, values, "", size)


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
        source = _JsonSource(file)
        try:
            for values in ijson.items(source, "item", use_float=True, buf_size=_JSON_BUFFER):
                place += 1
                source.taken = 0
                size, broken = _measured(values)
                yield RawRow(place, None, _NO_UTF8, size) if broken else _object(place, values, size)
        except (ijson.JSONError, RecursionError) as error:
            # A list that breaks off can't be gone on with: where the next item begins is not known.
            yield RawRow(place + 1, None, f"The list is not JSON from here on: {error}.")
        except _TooLongError:
            yield RawRow(place + 1, None, "The item is longer than 10 MB: the list is not read from here on.")


class _TooLongError(Exception):
    pass


class _JsonSource:
    """A file for ijson: ends an item that is too long, and lets bytes that are no UTF-8 spoil their own item
    alone.

    Attributes:
        taken: Bytes read since the last item; whoever takes an item sets it to 0.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")("tenfold-broken")
        self.taken = 0

    def read(self, size: int) -> bytes:
        text = ""
        while size and not text:
            raw = self._file.read(size)
            self.taken += len(raw)
            if self.taken > LONGEST_ROW_BYTES + _JSON_BUFFER:
                raise _TooLongError
            text = self._decoder.decode(raw, final=not raw)
            if not raw:
                break
        return text.encode()


def _broken_bytes(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return _BROKEN, error.end


codecs.register_error("tenfold-broken", _broken_bytes)


def _measured(values: Any) -> tuple[int, bool]:
    """About how much text there is in nested values, and whether any of it was no UTF-8."""
    size, broken = 0, False
    waiting = [values]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            size += len(value)
            broken = broken or _BROKEN in value
        elif isinstance(value, Mapping):
            waiting += value.keys()
            waiting += value.values()
        elif isinstance(value, list | tuple):
            waiting += value
        else:
            size += 8
    return size, broken


def _csv(path: Path, delimiter: str = ",") -> Iterator[RawRow]:
    before = csv.field_size_limit(LONGEST_ROW_BYTES)
    try:
        with path.open("rb") as file:
            lines = _TextLines(file)
            reader = csv.reader(lines, delimiter=delimiter, strict=True)
            head = _head(path, reader)
            while True:
                begin = lines.number + 1
                try:
                    cells = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    yield RawRow(begin, None, f"The row is not CSV: {error}.")
                    continue
                if cells:
                    yield _record(begin, head, cells)
    finally:
        csv.field_size_limit(before)


class _TextLines:
    """The lines of a file as text. Bytes that are no UTF-8 come as surrogates, so that one bad row spoils no
    other. A class, as a generator that has raised is at its end.

    Attributes:
        number: How many lines were taken.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._lines = _bounded_lines(file)
        self.number = 0

    def __iter__(self) -> _TextLines:
        return self

    def __next__(self) -> str:
        self.number, raw = next(self._lines)
        if raw is None:
            raise csv.Error("a line is longer than 10 MB")
        return raw.decode("utf-8-sig" if self.number == 1 else "utf-8", "surrogateescape")


def _head(path: Path, reader: Iterator[list[str]]) -> list[str]:
    """The names of the columns: the first line that is not empty."""
    try:
        head = next((cells for cells in reader if cells), [])
    except csv.Error as error:
        raise DataError(f"The head of {path.name} is not CSV: {error}.") from error
    if any(map(_is_broken, head)):
        raise DataError(f"The head of {path.name} is not valid UTF-8.", remedy="Save the file as UTF-8.")
    return head


def _record(line: int, head: list[str], cells: list[str]) -> RawRow:
    size = sum(map(len, cells))
    if len(cells) > len(head):
        return RawRow(line, None, "The row has more fields than the head names.", size)
    if any(map(_is_broken, cells)):
        return RawRow(line, None, _NO_UTF8, size)
    # A row that is too short has no value for the last columns.
    return RawRow(line, dict(zip(head, cells, strict=False)), "", size)


def _is_broken(text: str) -> bool:
    return not text.isascii() and any("\udc80" <= sign <= "\udcff" for sign in text)


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
        with pyarrow.parquet.ParquetFile(path, buffer_size=_PARQUET_BUFFER, pre_buffer=False) as file:
            for batch in file.iter_batches(batch_size=_PARQUET_ROWS):
                for values in _plain(batch):
                    place += 1
                    yield _parquet_row(place, values)
    except pyarrow.ArrowException as error:
        raise DataError(f"{path.name} can't be read as Parquet: {error}.") from error


def _plain(batch: Any) -> Iterator[dict[str, Any] | None]:
    """The rows of a batch; None for one with text that is not valid UTF-8."""
    try:
        yield from batch.to_pylist()
    except UnicodeDecodeError:
        for place in range(batch.num_rows):
            try:
                yield batch.slice(place, 1).to_pylist()[0]
            except UnicodeDecodeError:
                yield None


def _parquet_row(place: int, values: dict[str, Any] | None) -> RawRow:
    if values is None:
        return RawRow(place, None, _NO_UTF8)
    found = {name: value for name, value in values.items() if value is not None}
    size, _broken = _measured(found)
    return RawRow(place, None, TOO_LONG, size) if size > LONGEST_ROW_BYTES else RawRow(place, found, "", size)


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
        return RawRow(line, {"text": raw.decode("utf-8-sig").strip("\r\n")}, "", len(raw))
    except UnicodeDecodeError:
        return RawRow(line, None, "The text is not valid UTF-8.", len(raw))


def _of_plugin(reader: PluginReader, path: Path) -> Iterator[RawRow]:
    for number, values, problem, size in plugin_rows(reader, path):
        yield RawRow(number, None, problem, size) if problem else _object(number, values, size)


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

#: Endings of the files that are read without a plugin.
KNOWN_SUFFIXES = frozenset(_READERS)
