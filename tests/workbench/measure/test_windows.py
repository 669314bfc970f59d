"""Windows of a text: cut as llama-perplexity cuts them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer as Tokenizers
from tokenizers import processors

from workbench.engines.hf_tokenizer import HfTokenizer
from workbench.errors import WorkbenchError
from workbench.measure.windows import first_scored, windows_of, windows_of_text


def test_windows_follow_each_other_and_the_rest_is_left_out() -> None:
    found = windows_of(list(range(100, 1630)), 512)

    assert found.shape == (2, 512)
    assert found.ravel().tolist() == list(range(100, 1124))


def test_the_begin_token_takes_the_place_of_every_window_s_first() -> None:
    found = windows_of(list(range(100, 1123)), 512, begin=7)

    # With the begin token before the text there are just enough tokens for two windows.
    assert found.shape == (2, 512)
    assert found[:, 0].tolist() == [7, 7]
    assert found[0, 1:4].tolist() == [100, 101, 102]
    assert found[1, 1:4].tolist() == [612, 613, 614]


def test_the_tokens_that_were_given_are_not_changed() -> None:
    tokens = np.arange(100, 612, dtype=np.int32)

    windows_of(tokens, 128, begin=7)[:] = 0

    assert tokens.tolist() == list(range(100, 612))


@pytest.mark.parametrize(("most", "count"), [(None, 7), (1, 1), (3, 3), (9, 7)])
def test_no_more_windows_than_asked_for(most: int | None, count: int) -> None:
    assert windows_of(range(70), 10, most).shape == (count, 10)


@pytest.mark.parametrize("tokens", [0, 511])
def test_a_text_shorter_than_a_window_is_refused(tokens: int) -> None:
    with pytest.raises(WorkbenchError, match=rf"has {tokens} tokens.*needs 512"):
        windows_of(range(tokens))


def test_the_second_half_is_scored() -> None:
    assert [first_scored(width) for width in (512, 64, 7)] == [256, 32, 3]


@pytest.mark.parametrize("begins", [False, True])
def test_the_tokenizer_says_whether_texts_have_a_begin(small_hf: Path, tmp_path: Path, begins: bool) -> None:
    own = Tokenizers.from_file(str(small_hf / "tokenizer.json"))
    if begins:
        own.post_processor = processors.TemplateProcessing(
            single="<|im_start|> $A", special_tokens=[("<|im_start|>", 1)]
        )
    own.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "tokenizer_config.json").write_bytes((small_hf / "tokenizer_config.json").read_bytes())
    tokenizer = HfTokenizer(tmp_path)
    text = "What comes after the number? " * 20

    found = windows_of_text(tokenizer, text, 16, 2)

    assert found.shape == (2, 16)
    assert (found[:, 0] == 1).all() == begins
    assert found[0, begins:].tolist() == tokenizer.encode(text, begin=False)[: 16 - begins]
