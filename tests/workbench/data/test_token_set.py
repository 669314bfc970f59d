from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest

from workbench.data import tokenizing
from workbench.data.errors import DataError
from workbench.data.layout import mapped
from workbench.data.token_set import META, TokenSet
from workbench.data.tokenizing import Recipe, token_set
from workbench.engines.hf_tokenizer import HfTokenizer


def write(path: Path, *rows: object) -> str:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def chat(*turns: str) -> dict[str, object]:
    roles = ("user", "assistant")
    return {"messages": [{"role": roles[at % 2], "content": text} for at, text in enumerate(turns)]}


@pytest.fixture(scope="module")
def tokenizer(tiny_hf: Path) -> HfTokenizer:
    return HfTokenizer(tiny_hf)


def learned(tokens: TokenSet, tokenizer: HfTokenizer, sequence: int) -> list[str]:
    """The runs of learned tokens, as text."""
    runs: list[bytes] = []
    before = 0
    for token, trained in zip(tokens.ids(sequence).tolist(), tokens.trained(sequence).tolist(), strict=True):
        if trained:
            runs = (
                [*runs[:-1], runs[-1] + tokenizer.raw_piece(token)]
                if before
                else [*runs, tokenizer.raw_piece(token)]
            )
        before = trained
    return [run.decode() for run in runs]


def test_the_model_sees_its_template_and_learns_the_answers(
    tmp_path: Path, tiny_hf: Path, tokenizer: HfTokenizer
) -> None:
    data = write(tmp_path / "a.jsonl", chat("Hi", "Hello, naïve 🦊!", "More", " Well\n"))
    tokens = token_set(Recipe(files=(data,), tokenizer=str(tiny_hf)), tmp_path / "cache")

    text = b"".join(map(tokenizer.raw_piece, tokens.ids(0).tolist())).decode()
    assert "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHello, naïve 🦊!<|im_end|>" in text
    assert learned(tokens, tokenizer, 0) == ["Hello, naïve 🦊!<|im_end|>", " Well\n<|im_end|>"]

    last = Recipe(files=(data,), tokenizer=str(tiny_hf), trained="last-answer")
    assert learned(token_set(last, tmp_path / "cache"), tokenizer, 0) == [" Well\n<|im_end|>"]
    assert tokens.trained(0).sum() == tokens.meta.trained


def test_text_ends_with_its_end_mark_and_is_learned_whole(
    tmp_path: Path, tiny_hf: Path, tokenizer: HfTokenizer
) -> None:
    data = write(tmp_path / "a.jsonl", {"text": "Once upon a time."})
    tokens = token_set(Recipe(files=(data,), tokenizer=str(tiny_hf)), tmp_path / "cache")

    assert learned(tokens, tokenizer, 0) == [f"Once upon a time.{tokenizer.special_texts['eos_token']}"]


def test_a_preference_has_two_sequences_that_share_their_prompt(
    tmp_path: Path, tiny_hf: Path, tokenizer: HfTokenizer
) -> None:
    data = write(tmp_path / "a.jsonl", {"prompt": "Hi", "chosen": "Yes", "rejected": "No"})
    tokens = token_set(Recipe(files=(data,), tokenizer=str(tiny_hf)), tmp_path / "cache")

    assert (len(tokens), tokens.sequences, tokens.meta.pairs) == (1, 2, True)
    assert learned(tokens, tokenizer, 0) == ["Yes<|im_end|>"]
    assert learned(tokens, tokenizer, 1) == ["No<|im_end|>"]


def test_a_template_that_rewrites_earlier_turns_is_said_so(tmp_path: Path, tiny_hf: Path) -> None:
    data = write(tmp_path / "a.jsonl", chat("a", "b", "c", "d"), chat("a", "b"))
    template = (
        "{% for m in messages %}{% if m.role != 'assistant' or loop.last %}[{{ m.role }}]{{ m.content }}"
        "{% endif %}{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}"
    )
    recipe = Recipe(files=(data,), tokenizer=str(tiny_hf), template=template)

    tokens = token_set(recipe, tmp_path / "cache")

    assert len(tokens) == 1
    assert "last answer" in tokens.bad_rows()[0].problem
    last = Recipe(files=(data,), tokenizer=str(tiny_hf), template=template, trained="last-answer")
    assert len(token_set(last, tmp_path / "cache")) == 2


def test_bad_rows_are_kept_with_their_lines(tmp_path: Path, tiny_hf: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(
        b'{"prompt": "a", "completion": "b"}\nnot json\n{"prompt": "a"}\n\xff\n'
        b'{"prompt": "", "completion": "b"}\n'
    )
    tokens = token_set(Recipe(files=(str(path),), tokenizer=str(tiny_hf)), tmp_path / "cache")

    assert (len(tokens), tokens.meta.bad) == (1, 4)
    assert [(row.file, row.line) for row in tokens.bad_rows()] == [("a.jsonl", line) for line in (2, 3, 4, 5)]


def test_data_without_a_usable_row_names_the_first_problem(tmp_path: Path, tiny_hf: Path) -> None:
    data = write(tmp_path / "a.jsonl", {"prompt": "a", "completion": ""})
    with pytest.raises(DataError, match=r"line 1 of a\.jsonl: 'completion' is empty"):
        token_set(Recipe(files=(data,), tokenizer=str(tiny_hf)), tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_second_run_begins_at_once_and_other_data_or_template_makes_another_set(
    tmp_path: Path, tiny_hf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    data = write(tmp_path / "a.jsonl", {"prompt": "a", "completion": "b"})
    recipe = Recipe(files=(data,), tokenizer=str(tiny_hf))
    first = token_set(recipe, cache)
    monkeypatch.setattr(tokenizing, "_make", None)

    assert token_set(recipe, cache).folder == first.folder
    (tmp_path / "other").mkdir()
    moved = tmp_path / "other" / "a.jsonl"
    moved.write_bytes(Path(data).read_bytes())
    assert token_set(Recipe(files=(str(moved),), tokenizer=str(tiny_hf)), cache).folder == first.folder
    monkeypatch.undo()
    write(tmp_path / "a.jsonl", {"prompt": "a", "completion": "c"})
    assert token_set(recipe, cache).folder != first.folder
    other = Recipe(files=(data,), tokenizer=str(tiny_hf), layout=mapped("text", {"text": "prompt"}))
    assert token_set(other, cache).meta.kind == "text"
    assert len(list(cache.iterdir())) == 3


def test_a_damaged_set_is_made_again(tmp_path: Path, tiny_hf: Path) -> None:
    data = write(tmp_path / "a.jsonl", {"prompt": "a", "completion": "b"})
    recipe = Recipe(files=(data,), tokenizer=str(tiny_hf))
    first = token_set(recipe, tmp_path / "cache")
    expected = first.ids(0).tolist()
    folder = first.folder
    del first
    os.truncate(folder / "ids.bin", 4)

    with pytest.raises(DataError, match="not whole"):
        TokenSet(folder)
    assert token_set(recipe, tmp_path / "cache").ids(0).tolist() == expected


def test_a_stopped_run_leaves_nothing_behind(tmp_path: Path, tiny_hf: Path) -> None:
    data = write(tmp_path / "a.jsonl", *({"prompt": f"{at}", "completion": "b"} for at in range(2000)))

    def stop(done: int, _total: int) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        token_set(Recipe(files=(data,), tokenizer=str(tiny_hf)), tmp_path / "cache", progress=stop)
    assert list((tmp_path / "cache").iterdir()) == []


def test_processes_give_the_same_set_in_the_same_order(
    tmp_path: Path, tiny_hf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [{"prompt": f"Question {at}?", "completion": "word " * (at % 17 + 1)} for at in range(1500)]
    data = write(tmp_path / "a.jsonl", *rows)
    recipe = Recipe(files=(data,), tokenizer=str(tiny_hf))
    one = token_set(recipe, tmp_path / "one")
    monkeypatch.setattr(tokenizing, "_PARALLEL_BYTES", 0)
    two = token_set(recipe, tmp_path / "two", processes=2)

    for name in ("ids.bin", "trained.bin", "sequences.bin", "rows.bin", META):
        assert (one.folder / name).read_bytes() == (two.folder / name).read_bytes()


def test_processes_end_with_the_one_that_made_them(tmp_path: Path, tiny_hf: Path) -> None:
    data = write(tmp_path / "a.jsonl", *({"text": f"passage {at} " * 20} for at in range(40_000)))
    code = (
        "import sys\nfrom pathlib import Path\nfrom workbench.data import tokenizing as t\n"
        "def tell(done, total):\n    if done: print('begun', flush=True)\n"
        "if __name__ == '__main__':\n    t._PARALLEL_BYTES = 0\n"
        "    t.token_set(t.Recipe(files=(sys.argv[1],), tokenizer=sys.argv[2]), Path(sys.argv[3]),\n"
        "                processes=2, progress=tell)\n"
    )
    script = tmp_path / "make.py"
    script.write_text(code, encoding="utf-8")
    made = subprocess.Popen(
        [sys.executable, str(script), data, str(tiny_hf), str(tmp_path / "cache")], stdout=subprocess.PIPE
    )
    with made:
        assert made.stdout is not None
        assert made.stdout.readline().strip() == b"begun"
        children = psutil.Process(made.pid).children(recursive=True)
        made.kill()

    assert len(children) >= 2
    _gone, alive = psutil.wait_procs(children, timeout=30)
    assert alive == []


def test_files_of_different_kinds_are_learned_together(tmp_path: Path, tiny_hf: Path) -> None:
    one = write(tmp_path / "a.jsonl", chat("Hi", "Hello"), chat("Ho", "Hello"))
    two = write(tmp_path / "b.jsonl", {"frage": "a", "completion": "b", "prompt": "c"})
    pairs = write(tmp_path / "c.jsonl", {"prompt": "Hi", "chosen": "Yes", "rejected": "No"})

    tokens = token_set(Recipe(files=(one, two), tokenizer=str(tiny_hf)), tmp_path / "cache")

    assert (len(tokens), tokens.meta.bad, tokens.meta.kind) == (3, 0, "chat, completion")
    assert [tokens.place(each) for each in range(3)] == [("a.jsonl", 1), ("a.jsonl", 2), ("b.jsonl", 1)]
    assert tokens.weights_of([0.5, 3]).tolist() == [0.5, 0.5, 3.0]
    with pytest.raises(DataError, match="preferences"):
        token_set(Recipe(files=(one, pairs), tokenizer=str(tiny_hf)), tmp_path / "cache")
    by_hand = Recipe(files=(two,), tokenizer=str(tiny_hf), layout=mapped("completion", {"prompt": "frage"}))
    assert token_set(by_hand, tmp_path / "cache").meta.layouts[0].fields == {
        "prompt": "frage",
        "completion": "completion",
    }


def test_what_is_learned_of_a_prompt_and_its_completion_can_be_everything(
    tmp_path: Path, tiny_hf: Path, tokenizer: HfTokenizer
) -> None:
    data = write(tmp_path / "a.jsonl", {"prompt": "Hi", "completion": "Hello"})
    recipe = Recipe(files=(data,), tokenizer=str(tiny_hf), trained="everything")

    tokens = token_set(recipe, tmp_path / "cache")

    # All but the first token, which nothing precedes.
    assert tokens.trained(0).tolist() == [0] + [1] * (len(tokens.ids(0)) - 1)
    assert tokens.learned(5).tolist() == [4]


def test_a_file_without_rows_or_with_other_fields_is_named(tmp_path: Path, tiny_hf: Path) -> None:
    empty, other = write(tmp_path / "a.jsonl"), write(tmp_path / "b.jsonl", {"x": 1})
    for name, word in ((empty, r"a\.jsonl holds no row"), (other, r"b\.jsonl: .* fields \(x\)")):
        with pytest.raises(DataError, match=word):
            token_set(Recipe(files=(name,), tokenizer=str(tiny_hf)), tmp_path / "cache")
    spoilt = tmp_path / "c.jsonl"
    spoilt.write_bytes(b"\xff\n")
    with pytest.raises(DataError, match="line 1: The row is not valid UTF-8"):
        token_set(Recipe(files=(str(spoilt),), tokenizer=str(tiny_hf)), tmp_path / "cache")


def test_rows_that_are_added_move_no_row_to_the_other_side(tmp_path: Path, tiny_hf: Path) -> None:
    rows = [{"prompt": f"Question {at}?", "completion": "b"} for at in range(400)]
    few = token_set(
        Recipe(files=(write(tmp_path / "a.jsonl", *rows[100:]),), tokenizer=str(tiny_hf)), tmp_path / "cache"
    )
    all_rows = token_set(
        Recipe(files=(write(tmp_path / "b.jsonl", *rows),), tokenizer=str(tiny_hf)), tmp_path / "cache"
    )

    assert few.held_out(0.2).tolist() == all_rows.held_out(0.2)[100:].tolist()
    assert 50 < all_rows.held_out(0.2).sum() < 110
    # What is held out at a tenth is held out at a fifth too.
    assert not np.any(all_rows.held_out(0.1) & ~all_rows.held_out(0.2))


def test_a_file_that_is_not_there_is_named(tmp_path: Path, tiny_hf: Path) -> None:
    recipe = Recipe(
        files=(str(tmp_path / "none.jsonl"),),
        tokenizer=str(tiny_hf),
        layout=mapped("text", {"text": "text"}),
    )
    with pytest.raises(DataError, match=r"none\.jsonl is not a file"):
        token_set(recipe, tmp_path / "cache")
