"""Whether token ids mean the same to two models, with real tokenizers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from workbench.engines.hf_tokenizer import HfTokenizer
from workbench.measure.same_vocabulary import VocabularyError, check_same_vocabulary


def test_a_folder_and_the_gguf_file_made_from_it_have_one_vocabulary(
    tiny_hf: Path, tiny_gguf: Path, load
) -> None:
    in_file = load(tiny_gguf).tokenizer
    in_folder = HfTokenizer(tiny_hf)

    assert check_same_vocabulary(in_folder, in_file) == in_folder.vocabulary == in_file.vocabulary
    assert check_same_vocabulary(in_file, in_folder) == in_folder.vocabulary


def test_padding_is_no_difference(small_hf: Path) -> None:
    plain = HfTokenizer(small_hf)
    padded = HfTokenizer(small_hf, plain.vocabulary + 50)

    assert check_same_vocabulary(plain, padded) == plain.vocabulary
    assert check_same_vocabulary(padded, plain) == plain.vocabulary
    assert check_same_vocabulary(padded, padded) == plain.vocabulary + 50


def test_the_first_difference_is_named(small_hf: Path, tmp_path: Path) -> None:
    layout = json.loads((small_hf / "tokenizer.json").read_text(encoding="utf-8"))
    tokens = layout["model"]["vocab"]
    by_id = {number: text for text, number in tokens.items()}
    tokens[by_id[40]], tokens[by_id[41]] = 41, 40
    (tmp_path / "tokenizer.json").write_text(json.dumps(layout), encoding="utf-8")
    (tmp_path / "tokenizer_config.json").write_bytes((small_hf / "tokenizer_config.json").read_bytes())

    with pytest.raises(VocabularyError) as caught:
        check_same_vocabulary(HfTokenizer(small_hf), HfTokenizer(tmp_path))

    assert caught.value.token == 40
    assert f"token 40 is “{by_id[40]}” in the reference and “{by_id[41]}”" in str(caught.value)


def test_models_of_different_families_are_refused(small_hf: Path, tiny_hf: Path) -> None:
    with pytest.raises(VocabularyError, match="different vocabularies: token"):
        check_same_vocabulary(HfTokenizer(small_hf), HfTokenizer(tiny_hf))
