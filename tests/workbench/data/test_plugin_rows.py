"""Readers of plugins, in the real process: their rows, and what becomes of one that goes wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.children import children_running
from workbench.data import plugin_rows
from workbench.data.errors import DataError
from workbench.data.fields import fields_in
from workbench.data.plain import plain_text
from workbench.data.plugin_reader import PluginReader, data_readers, reader_of, use_data_readers
from workbench.data.reading import read_rows
from workbench.errors import JobCancelled
from workbench.plugin.reading_process import row_line

_PLUGINS = Path(__file__).parents[2] / "fixtures" / "plugins"
_LETTERS = PluginReader(
    name="letters", plugin="file:letters.py", suffixes=(".letters",), folders=(str(_PLUGINS),)
)
_HARMFUL = PluginReader(
    name="harmful", plugin="file:letters.py", suffixes=(".harm",), folders=(str(_PLUGINS),)
)


@pytest.fixture(autouse=True)
def _readers() -> Iterator[None]:
    before = data_readers()
    use_data_readers([_LETTERS, _HARMFUL])
    yield
    use_data_readers(before)


def _file(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def test_rows_of_a_plugin_come_in_order_and_a_bad_one_spoils_no_other(tmp_path: Path) -> None:
    path = _file(tmp_path, "Old.LETTERS", "Who?|Me\nno bar\nWhat?|That ü\n")

    rows = list(read_rows(path))

    assert [(row.line, row.values or row.problem) for row in rows] == [
        (1, {"prompt": "Who?", "completion": "Me"}),
        (2, "There is no bar."),
        (3, {"prompt": "What?", "completion": "That ü"}),
    ]


def test_fields_and_text_of_a_large_file_are_told_from_its_beginning(tmp_path: Path) -> None:
    path = _file(tmp_path, "a.letters", "Who?|Me\n" * 5000)

    found = fields_in(path)
    text = plain_text(path)

    assert found.fields == {"prompt": "Who?", "completion": "Me"}
    assert found.layout is not None and found.layout.kind == "completion"
    assert text.startswith("Who?\n\nMe\n\nWho?") and text.count("Me") == 5000
    # Whoever looks at the beginning leaves no process behind that reads the rest.
    assert not children_running("workbench.plugin.reading_process")


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        ("raise", "after row 1: RuntimeError: no more letters."),
        ("exit", "after row 1: SystemExit: 0."),
        ("crash", "after row 1: its process ended (exit code 11)."),
        ("hang", "after row 1: it gave no row for 0 seconds."),
        ("endless", "it gives rows without end"),
    ],
)
def test_reader_that_goes_wrong_is_named_with_the_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, harm: str, told: str
) -> None:
    monkeypatch.setattr(plugin_rows, "_LEAST_LIMIT_BYTES", 1_000_000)
    path = _file(tmp_path, "a.harm", harm)
    rows = read_rows(path)
    first = next(rows)
    monkeypatch.setattr(plugin_rows, "PATIENCE_S", 0.3 if harm == "hang" else 60)

    with pytest.raises(
        DataError, match=r"The reader harmful of the plugin letters\.py failed on a\.harm"
    ) as got:
        for _row in rows:
            pass

    assert first.values == {"prompt": "Who?", "completion": "Me."}
    assert told in got.value.message
    assert ("no more letters" in got.value.details) == (harm == "raise")


def test_what_a_reader_prints_is_no_row(tmp_path: Path) -> None:
    rows = list(read_rows(_file(tmp_path, "a.harm", "print")))

    assert [row.values and row.values["prompt"] for row in rows] == ["Who?", "And?"]


def test_waiting_for_a_reader_heeds_a_cancel(tmp_path: Path) -> None:
    asked: list[bool] = []

    def check() -> None:
        if asked:
            raise JobCancelled

    use_data_readers([_HARMFUL], check)
    rows = read_rows(_file(tmp_path, "a.harm", "hang"))
    next(rows)
    asked.append(True)

    with pytest.raises(JobCancelled):
        next(rows)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("text", "The reader gave a str, and a row is a mapping of fields."),
        ({1: "x"}, "The reader named a field 1, and names are text."),
        ({"prompt": b"x"}, "'prompt' is a bytes, or holds what JSON lacks."),
        ({"prompt": "x" * 10_000_001}, "The row is longer than 10 MB."),
    ],
)
def test_nonsense_is_a_bad_row(row: object, told: str) -> None:
    assert told.encode() in row_line(row)


def test_long_text_of_another_script_is_no_bad_row() -> None:
    # As JSON with escapes it has 18 MB.
    assert row_line({"text": "字" * 3_000_000}).startswith(b'{"row"')


def test_other_code_of_a_plugin_makes_another_digest(tmp_path: Path) -> None:
    _file(tmp_path, "letters.py", "one")
    reader = PluginReader(
        name="letters", plugin="file:letters.py", suffixes=(".l",), folders=(str(tmp_path),)
    )
    before = reader.digest()

    _file(tmp_path, "letters.py", "two")

    assert reader.digest() != before
    assert reader_of(Path("a.jsonl")) is None


def test_file_that_nothing_reads_says_what_is_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"of no kind that holds examples.*letters"):
        list(read_rows(_file(tmp_path, "a.bin", "x")))
