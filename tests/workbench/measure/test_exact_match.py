"""What counts as the same answer."""

from __future__ import annotations

import unicodedata

import pytest

from workbench.measure.exact_match import exact_match, may_become, normalized


@pytest.mark.parametrize(
    ("answer", "expected", "same"),
    [
        ("Paris", "Paris", True),
        ("  Paris\n", "Paris", True),
        ("one  two\tthree", "one two\nthree", True),
        ("a\u00a0b\u3000c", "a b c", True),
        ("cafe\u0301", "café", True),
        ("paris", "Paris", False),
        ("Paris.", "Paris", False),
        ("Paris, France", "Paris", False),
        ("ﬁne", "fine", False),
        ("", "", True),
        ("", "Paris", False),
    ],
)
def test_white_space_and_composition_don_t_count_but_signs_do(answer: str, expected: str, same: bool) -> None:
    assert exact_match(answer, expected) is same
    assert exact_match(expected, answer) is same


def test_punctuation_at_the_end_may_be_left_out() -> None:
    for answer in ("Paris.", "Paris !", "Paris…", "Paris。", "Paris).", "Paris"):
        assert exact_match(answer, "Paris", final_punctuation=False)
    assert not exact_match("(Paris", "Paris", final_punctuation=False)
    assert not exact_match("5 €", "5", final_punctuation=False)
    assert normalized("...", final_punctuation=False) == ""


def test_normalizing_twice_changes_nothing() -> None:
    for text in (" a  b. ", "cafe\u0301 .", "\u2003x\u2003", "1.5 ."):
        for kept in (True, False):
            once = normalized(text, final_punctuation=kept)
            assert normalized(once, final_punctuation=kept) == once


@pytest.mark.parametrize("expected", ["KELP-5", "one two  three", "café au lait", "Zoë, or e\u0301clair"])
def test_every_beginning_of_the_right_answer_may_become_it(expected: str) -> None:
    for spelled in (normalized(expected), unicodedata.normalize("NFD", expected)):
        for end in range(len(spelled) + 1):
            assert may_become(spelled[:end], expected)
        assert not may_become(spelled + "x", expected)
        assert not may_become("x" + spelled, expected)


def test_bytes_of_an_unfinished_letter_decide_nothing() -> None:
    assert may_become("caf\ufffd", "café")
