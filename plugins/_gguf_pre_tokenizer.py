"""Teaches transformers how some GGUF tokenizers cut a text, where it would cut it another way."""

from __future__ import annotations

#: What llama.cpp calls the tokenizers that take each digit by itself and cut the rest as GPT-2 does
#: (src/llama-vocab.cpp). transformers 5 knows many others, and takes these for GPT-2's own.
_DIGITS_APART = ("codeshell", "command-r", "exaone", "minerva-7b", "refact", "smollm", "starcoder")
#: Both in one: white space before a digit is cut as at the end of a text, since the digit was taken first.
SPLIT = r"\p{N}|'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?[^\s\p{L}\p{N}]+|\s+(?=\p{N})|\s+(?!\S)|\s+"


def know_pre_tokenizers() -> None:
    """Add what is missing to transformers' own table; a version without that table is left as it is."""
    try:
        from transformers.integrations.gguf.gguf_tokenizer_mapping import GGUF_PRE_TOKENIZER_SPLITS
    except ImportError:
        return
    for name in _DIGITS_APART:
        GGUF_PRE_TOKENIZER_SPLITS.setdefault(name, SPLIT)
