from __future__ import annotations

import json
from pathlib import Path

import pytest

from workbench.data.examples import Completion
from workbench.data.preview import preview, token_texts
from workbench.data.rendering import Renderer
from workbench.data.sides import SideChoices, Sides, open_sides
from workbench.data.tokenizing import Recipe
from workbench.engines.hf_tokenizer import HfTokenizer
from workbench.engines.templates import ChatTemplate


@pytest.fixture(scope="module")
def tokenizer(tiny_hf: Path) -> HfTokenizer:
    return HfTokenizer(tiny_hf)


def opened(folder: Path, tokenizer: Path, *rows: object, **choices: object) -> Sides:
    data = folder / "a.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    recipe = Recipe(files=(str(data),), tokenizer=str(tokenizer))
    return open_sides(recipe, SideChoices(**choices), folder / "cache")  # type: ignore[arg-type]


def test_the_tokens_spell_the_rendered_text_and_show_what_is_learned(
    tmp_path: Path, tiny_hf: Path, tokenizer: HfTokenizer
) -> None:
    answer = "naïve 🦊🦊 日本語 fox"
    sides = opened(tmp_path, tiny_hf, {"prompt": "Say it.", "completion": answer}, held_out=0)

    row = preview(sides, tokenizer)[0]

    template = ChatTemplate(tokenizer.chat_template or "", tokenizer.special_texts)
    rendered = Renderer(template, tokenizer.special_texts).render(
        Completion(prompt="Say it.", completion=answer)
    )
    assert "".join(token.text for token in row.sequences[0]) == rendered[0].text
    assert "".join(token.text for token in row.sequences[0] if token.trained) == f"{answer}<|im_end|>"
    assert [token.id for token in row.sequences[0]] == sides.train.tokens.ids(0).tolist()
    assert (row.file, row.line, row.held_out, row.used, row.more) == ("a.jsonl", 1, False, True, (0,))
    # The fox takes several tokens here, or the test would show nothing.
    assert any(token.text == "" for token in row.sequences[0])


def test_what_is_cut_held_out_or_left_out_is_said(
    tmp_path: Path, tiny_hf: Path, tokenizer: HfTokenizer
) -> None:
    rows = [{"text": f"passage {at} " * (20 if at == 3 else 1)} for at in range(12)]
    sides = opened(tmp_path, tiny_hf, *rows, held_out=0.4, longest=12)

    shown = preview(sides, tokenizer, offset=2, count=20)

    assert [row.line for row in shown] == list(range(3, 13))
    held = set(sides.held_out.examples.tolist())
    assert [row.held_out for row in shown] == [number in held for number in range(2, 12)]
    assert 0 < len(held) < 12
    assert [token.cut for token in shown[1].sequences[0]] == [
        place >= 12 for place in range(len(shown[1].sequences[0]))
    ]
    skipping = opened(tmp_path, tiny_hf, *rows, held_out=0, longest=12, long_rows="skip")
    assert [row.used for row in preview(skipping, tokenizer, offset=2, count=2)] == [True, False]
    assert preview(sides, tokenizer, offset=12) == []


def test_a_preference_shows_both_sequences_and_held_out_files_come_last(
    tmp_path: Path, tiny_hf: Path, tokenizer: HfTokenizer
) -> None:
    apart = tmp_path / "b.jsonl"
    apart.write_text('{"prompt": "Ho", "chosen": "One", "rejected": "Two"}\n', encoding="utf-8")
    pair = {"prompt": "Hi", "chosen": "Yes", "rejected": "No"}
    sides = opened(tmp_path, tiny_hf, pair, held_out_files=(str(apart),))

    first, last = preview(sides, tokenizer)

    learned = [[token.text for token in each if token.trained] for each in first.sequences]
    assert learned == [["Yes", "<|im_end|>"], ["No", "<|im_end|>"]]
    assert (last.file, last.held_out, first.held_out) == ("b.jsonl", True, False)


def test_a_row_without_end_is_shown_in_part(
    tmp_path: Path, tiny_hf: Path, tokenizer: HfTokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workbench.data.preview._MOST_TOKENS", 30)
    sides = opened(tmp_path, tiny_hf, {"text": "word " * 100}, held_out=0)

    row = preview(sides, tokenizer)[0]

    assert len(row.sequences[0]) == 30
    assert row.more == (int(sides.train.tokens.lengths[0]) - 30,)


@pytest.mark.parametrize(
    ("pieces", "texts"),
    [
        ([], []),
        ([b"a", b"\xf0\x9f", b"\xa6", b"\x8ab"], ["a", "🦊", "", "b"]),
        ([b"\xf0\x9f\xa6", b"\x8a\xc3", b"\xa9"], ["🦊", "é", ""]),
        # What is no UTF-8 is shown as such, and takes nothing else with it.
        ([b"\xf0\x9f", b"ab", b"\xff", b"c"], ["\ufffd", "ab", "\ufffd", "c"]),
        ([b"a", b"\xe6\x97"], ["a", "\ufffd"]),
    ],
)
def test_a_split_character_is_in_its_first_token(pieces: list[bytes], texts: list[str]) -> None:
    assert token_texts(pieces) == texts
