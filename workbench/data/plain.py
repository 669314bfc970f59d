"""Reads a file of text or of examples as one plain text, for measuring models on it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from workbench.data.errors import BadRowError, DataError
from workbench.data.examples import Chat, Completion, Example, Preference
from workbench.data.layout import detect, example_of
from workbench.data.plugin_reader import reader_of
from workbench.data.reading import KNOWN_SUFFIXES, read_rows

#: Of a longer file the beginning is read: no measurement takes so much.
MOST_CHARACTERS = 16_000_000

_TABLES = frozenset({".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet"})
_DETECT_ROWS = 200


def plain_text(path: Path) -> str:
    """The text of a file; of a dataset the texts of its rows, blank lines between, without any template.

    Rows that can't be read are left out.

    Raises:
        DataError: The file is missing, can't be read, is no text, or holds none.
        MissingExtraError: What reads this kind of dataset is not installed.
    """
    text = "\n\n".join(_of_rows(path)) if _holds_rows(path) else _of_file(path)
    if not text.strip():
        raise DataError(f"{path.name} holds no text.", remedy="Choose another file.")
    return text[:MOST_CHARACTERS]


def _holds_rows(path: Path) -> bool:
    suffix = path.suffix.lower()
    return suffix in _TABLES or (suffix not in KNOWN_SUFFIXES and reader_of(path) is not None)


def _of_file(path: Path) -> str:
    if not path.is_file():
        raise DataError(f"{path} is not a file.", remedy="Check the path.")
    try:
        with path.open("rb") as file:
            raw = file.read(4 * MOST_CHARACTERS)
    except OSError as error:
        raise DataError(f"{path} can't be read: {error.strerror or error}.") from error
    try:
        # What is cut off in the middle of a character is no fault of the file.
        text = raw.decode("utf-8-sig", "strict" if len(raw) < 4 * MOST_CHARACTERS else "ignore")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path.name} is no text in UTF-8: byte {error.start} can't be one.",
            remedy="Choose a text file, or save this one as UTF-8.",
        ) from error
    if "\0" in text:
        raise DataError(f"{path.name} is no text but a binary file.", remedy="Choose a text file.")
    return text


def _of_rows(path: Path) -> Iterator[str]:
    first = list(islice((row for row in read_rows(path) if row.values is not None), _DETECT_ROWS))
    layout = detect(row.values for row in first if row.values is not None)
    length = 0
    for row in read_rows(path):
        if row.values is None:
            continue
        try:
            text = _text_of(example_of(row.values, layout))
        except BadRowError:
            continue
        yield text
        length += len(text)
        if length > MOST_CHARACTERS:
            return


def _text_of(example: Example) -> str:
    match example:
        case Chat():
            return "\n\n".join(turn.content for turn in example.messages)
        case Completion():
            return f"{example.prompt}\n\n{example.completion}"
        case Preference():
            return "\n\n".join([*(turn.content for turn in example.messages), example.chosen])
    return example.text
