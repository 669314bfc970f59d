"""How well a few typed letters match a text."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

_T = TypeVar("_T")

#: A letter that begins a word counts more than one inside it, and letters in a row more than scattered ones.
_WORD_START = 8.0
_IN_A_ROW = 5.0
_LETTER = 1.0


def score(typed: str, text: str) -> float | None:
    """A figure that is higher for a better match; None where the letters are not all there in order.

    >>> score("q4", "Quantize to Q4_K_M") is not None
    True
    >>> score("zz", "Quantize") is None
    True
    """
    total = 0.0
    lowered = text.casefold()
    for word in typed.casefold().split():
        found = _word_score(word, lowered)
        if found is None:
            return None
        total += found
    return total - 0.01 * len(text)


def best(typed: str, entries: Iterable[_T], text: Callable[[_T], str], limit: int) -> list[_T]:
    """The entries that match, best first; all of them in their order where nothing is typed."""
    if not typed.strip():
        return [entry for _, entry in zip(range(limit), entries, strict=False)]
    scored = [
        (found, -place, entry)
        for place, entry in enumerate(entries)
        if (found := score(typed, text(entry))) is not None
    ]
    scored.sort(key=lambda each: each[:2], reverse=True)
    return [entry for _, _, entry in scored[:limit]]


def _word_score(word: str, text: str) -> float | None:
    whole = text.find(word)
    if whole >= 0:
        start = whole == 0 or not text[whole - 1].isalnum()
        return len(word) * (_LETTER + _IN_A_ROW) + (_WORD_START if start else 0.0)
    total, place, before = 0.0, 0, -2
    for letter in word:
        place = text.find(letter, place)
        if place < 0:
            return None
        total += _LETTER
        if place == before + 1:
            total += _IN_A_ROW
        elif place == 0 or not text[place - 1].isalnum():
            total += _WORD_START / 2
        before = place
        place += 1
    return total
