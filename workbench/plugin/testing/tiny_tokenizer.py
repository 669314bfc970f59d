"""A tokenizer of 308 tokens, for models that are made on the spot: bytes, and the pieces of a few words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

PADDING, BEGIN, END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
SPECIAL = (PADDING, BEGIN, END)
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] +"
    " '<|im_end|>' + '\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}"
    "{% endif %}"
)

#: What byte-pair encoding learns from "What comes after the number? After it comes the number. yes no one two
#: user assistant system"; `Ġ` stands for a space.
_PAIRS = """
e+r e+s Ġ+n Ġ+t b+er c+o f+t h+e m+es m+ber s+t u+mber Ġ+a Ġ+co Ġn+umber Ġt+he ft+er Ġco+mes A+fter
W+h a+n a+t e+m i+t i+st n+e o+ne s+s s+y s+er u+ser w+o y+es Ġ+After Ġ+it Ġ+one Ġ+sy Ġ+user Ġ+yes
Ġn+o Ġt+wo st+em Ġa+fter Ġa+ss Wh+at an+t ist+ant Ġsy+stem Ġass+istant
"""
MERGES = tuple(pair.replace("+", " ") for pair in _PAIRS.split())


def tokens() -> list[str]:
    """All tokens by their ids: the special ones, a sign for each byte, and what merges make.

    >>> len(tokens()), tokens()[:4], tokens()[-1]
    (308, ['<|endoftext|>', '<|im_start|>', '<|im_end|>', '!'], 'Ġassistant')
    """
    return [*SPECIAL, *_alphabet(), *(merge.replace(" ", "") for merge in MERGES)]


def write_tokenizer(folder: Path) -> None:
    """Write the files by which transformers and MLX know a tokenizer."""
    level = {"type": "ByteLevel", "trim_offsets": True, "use_regex": True}
    whole = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [_added(number, text) for number, text in enumerate(SPECIAL)],
        "normalizer": None,
        "pre_tokenizer": {**level, "add_prefix_space": False},
        "post_processor": None,
        "decoder": {**level, "add_prefix_space": True},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {text: number for number, text in enumerate(tokens())},
            "merges": [merge.split(" ") for merge in MERGES],
        },
    }
    _write(folder / "tokenizer.json", whole)
    named = {"pad_token": PADDING, "bos_token": BEGIN, "eos_token": END}
    _write(folder / "tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast", **named})
    (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE, encoding="utf-8")


def _alphabet() -> list[str]:
    """GPT-2's sign for each byte: its own where that can be seen, else one from 256 on; in their order."""
    seen = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    hidden = 256 - len(seen)
    return [chr(code) for code in (*seen, *range(256, 256 + hidden))]


def _added(number: int, text: str) -> dict[str, object]:
    plain = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return {"id": number, "content": text, **plain, "special": True}


def _write(path: Path, content: Mapping[str, object]) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False), encoding="utf-8")
