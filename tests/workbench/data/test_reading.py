from __future__ import annotations

import json
from pathlib import Path

import pytest

from workbench.data import reading
from workbench.data.errors import DataError
from workbench.data.reading import read_rows


def found(path: Path) -> list[tuple[int, object]]:
    return [
        (row.line, dict(row.values) if row.values is not None else row.problem) for row in read_rows(path)
    ]


def test_lines_of_json_with_every_way_to_be_wrong(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"a": "1"}\n\n[1]\n{"a": \n\xff\xfe\n{"a": "caf\xc3\xa9"}')

    rows = found(path)

    assert [line for line, _ in rows] == [1, 3, 4, 5, 6]
    assert rows[0][1] == {"a": "1"}
    assert rows[4][1] == {"a": "café"}
    for (_line, problem), word in zip(
        rows[1:4], ("not an object", "not JSON", "not valid UTF-8"), strict=True
    ):
        assert word in str(problem)


def test_a_line_that_is_too_long_is_skipped_and_the_next_one_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "LONGEST_ROW_BYTES", 100)
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"a": "x" * 1000}) + '\n{"a": "y"}\n', encoding="utf-8")

    assert found(path) == [(1, "The row is longer than 10 MB."), (2, {"a": "y"})]


def test_json_is_a_list_or_an_object_a_line(tmp_path: Path) -> None:
    listed, lines, broken = tmp_path / "a.json", tmp_path / "b.json", tmp_path / "c.json"
    listed.write_text('[{"a": 1.5}, 3, {"a": 2}]', encoding="utf-8")
    lines.write_text('{"a": 1}\n{"a": 2}\n', encoding="utf-8")
    broken.write_text('[{"a": 1}, {"a": ', encoding="utf-8")

    assert found(listed) == [(1, {"a": 1.5}), (2, "The row is not an object with fields."), (3, {"a": 2})]
    assert found(lines) == [(1, {"a": 1}), (2, {"a": 2})]
    assert found(broken)[0] == (1, {"a": 1})
    assert "from here on" in str(found(broken)[1][1])


def test_a_list_keeps_its_good_items_and_says_where_it_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoilt, long = tmp_path / "a.json", tmp_path / "b.json"
    spoilt.write_bytes(b'[{"a": "caf\xc3\xa9"}, {"a": "\xff"}, {"\xc3": 1}, {"a": "z"}]')
    monkeypatch.setattr(reading, "LONGEST_ROW_BYTES", 100_000)
    long.write_text(json.dumps([{"a": "y"}, {"a": "x" * 1_000_000}, {"a": "z"}]), encoding="utf-8")

    rows = found(spoilt)

    assert rows[0] == (1, {"a": "café"})
    assert [line for line, said in rows if "UTF-8" in str(said)] == [2, 3]
    assert rows[3] == (4, {"a": "z"})
    assert found(long)[0] == (1, {"a": "y"})
    assert "longer than 10 MB" in str(found(long)[1][1])


def test_tables_keep_their_good_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(
        b'\xef\xbb\xbfprompt,completion\n"a, b",c\nx,\xff\nq,r,s\n\n"line\nbreak",d\n"x"y,z\nshort\n'
    )

    rows = found(path)

    assert rows[0] == (2, {"prompt": "a, b", "completion": "c"})
    assert rows[1] == (3, "The row is not valid UTF-8.")
    assert "more fields" in str(rows[2][1])
    assert rows[3] == (6, {"prompt": "line\nbreak", "completion": "d"})
    assert rows[4][0] == 8
    assert "not CSV" in str(rows[4][1])
    assert rows[5] == (9, {"prompt": "short"})
    tabs = tmp_path / "a.tsv"
    tabs.write_text("a\tb\n1\t2\n", encoding="utf-8")
    assert found(tabs) == [(2, {"a": "1", "b": "2"})]


def test_a_table_without_line_breaks_is_not_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "LONGEST_ROW_BYTES", 1000)
    path = tmp_path / "a.csv"
    path.write_text("a,b\n" + "x" * 5000 + "\n1,2\n", encoding="utf-8")

    assert found(path) == [
        (2, "The row is not CSV: a line is longer than 10 MB."),
        (3, {"a": "1", "b": "2"}),
    ]
    path.write_bytes(b"a\xff,b\n1,2\n")
    with pytest.raises(DataError, match="head"):
        found(path)


def test_parquet_gives_its_rows_or_says_that_it_is_none(tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    path = tmp_path / "a.parquet"
    table = pyarrow.table({"text": ["one", None, "three"], "messages": [[{"role": "user"}], None, []]})
    pyarrow.parquet.write_table(table, path)

    assert found(path) == [
        (1, {"text": "one", "messages": [{"role": "user"}]}),
        (2, {}),
        (3, {"text": "three", "messages": []}),
    ]
    broken = pyarrow.array([b"one", b"\xff", b"three"]).view(pyarrow.string())
    pyarrow.parquet.write_table(pyarrow.table({"text": broken}), path)
    assert found(path) == [(1, {"text": "one"}), (2, "The row is not valid UTF-8."), (3, {"text": "three"})]
    path.write_bytes(b"PAR1 is not enough")
    with pytest.raises(DataError, match="Parquet"):
        found(path)


def test_text_is_cut_at_blank_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"\none\ntwo\n\n\nthree\n\xff\n")

    assert found(path) == [(2, {"text": "one\ntwo"}), (6, "The text is not valid UTF-8.")]


def test_other_files_and_missing_ones_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no kind"):
        list(read_rows(tmp_path / "a.pkl"))
    with pytest.raises(DataError, match="not a file"):
        list(read_rows(tmp_path / "a.jsonl"))
