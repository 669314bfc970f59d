"""A file of text or of examples as one plain text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from workbench.data import plain
from workbench.data.errors import DataError
from workbench.data.plain import plain_text


def test_text_is_taken_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_bytes("\ufeffdef café():\n\n\n    pass\n".encode())

    assert plain_text(path) == "def café():\n\n\n    pass\n"


def test_rows_of_a_dataset_are_joined_and_bad_ones_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    rows = [
        {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."}]},
        {"messages": 3},
        {"messages": [{"role": "user", "content": "Bye"}, {"role": "assistant", "content": "See you."}]},
    ]
    path.write_text("\n".join([*map(json.dumps, rows), "{broken"]), encoding="utf-8")

    assert plain_text(path) == "Hi\n\nHello.\n\nBye\n\nSee you."


def test_prompts_and_completions_of_a_table(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("prompt,completion\nWhat?,That.\n", encoding="utf-8")

    assert plain_text(path) == "What?\n\nThat."


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"\x7fELF\x02\x01\x01\0\0\0", "binary file"), (b"caf\xe9 au lait", "UTF-8"), (b" \n\n", "no text")],
)
def test_what_is_no_text_is_refused(content: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "odd.txt"
    path.write_bytes(content)

    with pytest.raises(DataError, match=words):
        plain_text(path)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.txt"):
        plain_text(tmp_path / "gone.txt")


def test_of_a_long_file_the_beginning_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain, "MOST_CHARACTERS", 5)
    path = tmp_path / "long.txt"
    path.write_text("ä" * 100, encoding="utf-8")

    assert plain_text(path) == "ääääää"[:5]
