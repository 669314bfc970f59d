"""Decides whether an answer is the one that was expected."""

from __future__ import annotations

import unicodedata


def normalized(text: str, *, final_punctuation: bool = True) -> str:
    """A text without what no reader would call a difference.

    In this order: Unicode's composed form (NFC); every run of white space becomes one space, and none stands
    at the ends; without `final_punctuation`, signs of Unicode's punctuation categories (P…) and spaces go
    from the end. Letters stay as they are: `paris` is not `Paris`.

    >>> normalized("  The\\n answer: 42. ")
    'The answer: 42.'
    >>> normalized("The answer: 42. !", final_punctuation=False)
    'The answer: 42'
    """
    found = " ".join(unicodedata.normalize("NFC", text).split())
    if not final_punctuation:
        while found and (found[-1] == " " or unicodedata.category(found[-1]).startswith("P")):
            found = found[:-1]
    return found


def exact_match(answer: str, expected: str, *, final_punctuation: bool = True) -> bool:
    """Whether both are the same text once they are normalized.

    >>> exact_match("KELP-5\\n", "KELP-5"), exact_match("KELP-5.", "KELP-5")
    (True, False)
    >>> exact_match("KELP-5.", "KELP-5", final_punctuation=False)
    True
    """
    one, other = (normalized(each, final_punctuation=final_punctuation) for each in (answer, expected))
    return one == other


def may_become(begun: str, expected: str) -> bool:
    """Whether an answer that begins so can still match exactly, for all that one knows.

    >>> may_become("KELP", "KELP-5"), may_become("KELT", "KELP-5"), may_become("", "KELP-5")
    (True, False, True)
    """
    # A sign that is still to be composed from several bytes or letters decides nothing.
    one, other = (unicodedata.normalize("NFD", normalized(each)) for each in (begun, expected))
    return "\ufffd" in one or other.startswith(one)
