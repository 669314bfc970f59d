"""The fixed prompts hold what templates and tokenizers are known to break on."""

from __future__ import annotations

import unicodedata

from workbench.assets import PARITY_PROMPTS
from workbench.measure.parity_prompts import read_prompts

PROMPTS = read_prompts()
EVERYTHING = "".join(prompt.text for prompt in PROMPTS)


def test_there_are_32_of_different_names() -> None:
    assert len({prompt.name for prompt in PROMPTS}) == len(PROMPTS) == 32
    assert len({prompt.text for prompt in PROMPTS}) == 32


def test_the_file_is_plain_utf8_with_unix_lines() -> None:
    text = PARITY_PROMPTS.read_bytes().decode("utf-8")

    assert text.endswith("}\n")
    assert all(sign.isprintable() or sign == "\n" for sign in text)


def test_conversations_of_every_shape_are_there() -> None:
    roles = [[message.role for message in prompt.messages] for prompt in PROMPTS]

    assert sum(each == ["user"] for each in roles) > 20
    assert {len(each) for each in roles} == {1, 2, 3, 6}
    assert ["system", "user"] in roles
    assert any(each[-1] == "assistant" for each in roles), "an answer that was begun"
    assert any(prompt.messages[0].content == "" for prompt in PROMPTS), "an empty system message"
    assert any(prompt.tools for prompt in PROMPTS)


def test_texts_of_many_scripts_and_kinds_are_there() -> None:
    names = {unicodedata.name(sign, "").partition(" ")[0] for sign in EVERYTHING if sign.isalpha()}

    assert {
        "LATIN",
        "CYRILLIC",
        "GREEK",
        "ARABIC",
        "DEVANAGARI",
        "THAI",
        "CJK",
        "HIRAGANA",
        "KATAKANA",
        "HANGUL",
    } <= names
    for part in (
        "\t",
        "\r\n",
        "  ",
        "\n\n\n",
        "\u200d",
        "<|endoftext|>",
        "</s>",
        "def ",
        "\\frac",
        "18446744073709551615",
    ):
        assert part in EVERYTHING
    lengths = sorted(len(prompt.text) for prompt in PROMPTS)
    assert lengths[0] == 2
    assert lengths[-1] > 1500


def test_texts_are_composed() -> None:
    """Some tokenizers compose accents first and llama.cpp does not; that is known, and no step's fault."""
    assert unicodedata.is_normalized("NFC", EVERYTHING)
