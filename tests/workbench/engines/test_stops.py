"""Text as it grows: characters that span tokens, stop texts that span tokens."""

from __future__ import annotations

import random

import pytest

from workbench.engines.stops import TextStream


@pytest.mark.parametrize("text", ["naïve café", "日本語のテキスト", "👩‍👩‍👧‍👦 family", "mixed é日👍 end"])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_characters_appear_whole_however_bytes_are_cut(text: str, size: int) -> None:
    raw = text.encode()
    stream = TextStream()

    parts = [stream.push(raw[at : at + size]) for at in range(0, len(raw), size)]

    assert "".join(parts) + stream.finish() == text
    assert all("\ufffd" not in part for part in parts)


def test_broken_bytes_become_a_replacement_and_nothing_fails() -> None:
    stream = TextStream()

    assert stream.push(b"a\xff\xfeb") == "a\ufffd\ufffdb"
    assert stream.push(b"\xe6\x97") == ""
    assert stream.finish() == "\ufffd"


def test_stop_text_across_pieces_is_never_shown() -> None:
    for seed in range(200):
        chance = random.Random(seed)
        text = "abcabdabcabcSTOPabc"
        stream = TextStream(("STOP", "abd!"))
        shown, at = "", 0
        while at < len(text) and not stream.stopped:
            size = chance.randint(1, 4)
            shown += stream.push(text[at : at + size].encode())
            at += size
        assert stream.stopped
        assert shown == "abcabdabcabc"


def test_earliest_of_several_stops_wins() -> None:
    stream = TextStream(("zz", "b"))

    assert stream.push(b"abzz") == "a"
    assert stream.stopped


def test_held_back_text_comes_at_the_end_when_it_was_no_stop() -> None:
    stream = TextStream(("END",))

    assert stream.push(b"an EN") == "an "
    assert stream.finish() == "EN"


def test_empty_stop_texts_are_ignored() -> None:
    stream = TextStream(("",))

    assert stream.push(b"abc") == "abc"
    assert not stream.stopped
