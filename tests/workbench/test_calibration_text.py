"""The text that quantizations are fitted on has nothing of the texts that models are measured on."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from workbench.assets import CALIBRATION_TEXT, EVALUATION_TEXT, GENERAL_TEXT

_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")


def _runs(path: Path, length: int) -> set[tuple[str, ...]]:
    words = [word.lower() for word in _WORD.findall(path.read_text(encoding="utf-8"))]
    return {tuple(words[at : at + length]) for at in range(len(words) - length + 1)}


def test_it_is_plain_utf8_of_about_28_kb() -> None:
    text = CALIBRATION_TEXT.read_bytes().decode("utf-8")

    assert 26_000 <= len(text.encode()) <= 30_000
    assert text.endswith("\n")
    assert all(each.isprintable() or each == "\n" for each in text)
    assert all(line == line.rstrip() for line in text.splitlines())


@pytest.mark.parametrize("other", [EVALUATION_TEXT, GENERAL_TEXT])
def test_no_run_of_six_words_is_in_a_text_that_is_measured_on(other: Path) -> None:
    assert _runs(CALIBRATION_TEXT, 6) & _runs(other, 6) == set()
