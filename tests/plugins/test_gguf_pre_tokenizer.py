"""Texts are cut as llama.cpp cuts them: each digit first, and the rest as GPT-2 does."""

from __future__ import annotations

import random

from tokenizers import Regex, pre_tokenizers

from plugins._gguf_pre_tokenizer import SPLIT
from workbench.assets import EVALUATION_TEXT

SIGNS = "ab Z é日 \n\t\r 12٣½²'s't.,;!?-_\u00a0\u3000🙂"


def test_one_expression_cuts_as_both_rules_one_after_the_other() -> None:
    one = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    both = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    chance = random.Random(1)
    texts = ["".join(chance.choices(SIGNS, k=chance.randint(1, 30))) for _ in range(3000)]

    for text in [*texts, EVALUATION_TEXT.read_text(encoding="utf-8")]:
        assert one.pre_tokenize_str(text) == both.pre_tokenize_str(text)
