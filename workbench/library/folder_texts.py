"""Reads what a model folder says in words: chat template, licence, kind of tokenizer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from workbench.library.bounded import clean, clean_line, read_json, read_text

#: Older folders list all added tokens in tokenizer_config.json.
MAX_TOKENIZER_CONFIG_BYTES = 32_000_000
MAX_TEMPLATE_BYTES = 1_000_000
MAX_README_BYTES = 200_000

#: Words near the begin of a licence file → the name that hubs give it.
_LICENCE_WORDS = (
    ("apache license", "apache-2.0"),
    ("mit license", "mit"),
    ("permission is hereby granted, free of charge", "mit"),
    ("llama 4 community license", "llama4"),
    ("llama 3.3 community license", "llama3.3"),
    ("llama 3.2 community license", "llama3.2"),
    ("llama 3.1 community license", "llama3.1"),
    ("meta llama 3 community license", "llama3"),
    ("llama 2 community license", "llama2"),
    ("gemma terms of use", "gemma"),
    ("gnu affero general public license", "agpl-3.0"),
    ("gnu general public license", "gpl-3.0"),
    ("creative commons attribution-noncommercial", "cc-by-nc-4.0"),
    ("creative commons attribution", "cc-by-4.0"),
    ("redistribution and use in source and binary forms", "bsd"),
)
_LICENCE_NAMES = ("LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE", "LICENCE.txt", "COPYING")


def chat_template(folder: Path) -> str | None:
    """The Jinja source: `chat_template.jinja`, then `chat_template.json`, then `tokenizer_config.json`.

    Raises:
        ModelFileError: A file that should hold it is damaged.
    """
    alone = read_text(folder / "chat_template.jinja", MAX_TEMPLATE_BYTES)
    if alone and alone.strip():
        return alone
    for name, limit in (
        ("chat_template.json", MAX_TEMPLATE_BYTES),
        ("tokenizer_config.json", MAX_TOKENIZER_CONFIG_BYTES),
    ):
        if (folder / name).is_file():
            found = _template(read_json(folder / name, limit).get("chat_template"))
            if found:
                return clean(found)
    return None


def tokenizer(folder: Path) -> str | None:
    """The kind of tokenizer, for example `LlamaTokenizerFast`.

    Raises:
        ModelFileError: `tokenizer_config.json` is damaged.
    """
    settings = folder / "tokenizer_config.json"
    if settings.is_file():
        kind = read_json(settings, MAX_TOKENIZER_CONFIG_BYTES).get("tokenizer_class")
        if isinstance(kind, str) and kind:
            return clean_line(kind, 64)
    if (folder / "tokenizer.json").is_file():
        return "tokenizer.json"
    return "sentencepiece" if (folder / "tokenizer.model").is_file() else None


def licence(folder: Path) -> str | None:
    """The licence that the README's front matter names, else the one that a licence file looks like."""
    readme = read_text(folder / "README.md", MAX_README_BYTES)
    if readme:
        matter = _front_matter(readme)
        stated = matter.get("license")
        if stated == "other":
            stated = matter.get("license_name") or stated
        if stated:
            return clean_line(stated, 80)
    for name in _LICENCE_NAMES:
        text = read_text(folder / name, 4000)
        if text:
            words = " ".join(text.lower().split())
            return next((title for sign, title in _LICENCE_WORDS if sign in words), f"see {name}")
    return None


def _template(value: Any) -> str | None:
    """One template, or of several the one called `default`, else the first."""
    if isinstance(value, str):
        return value or None
    if not isinstance(value, list):
        return None
    named = {
        each["name"]: each["template"]
        for each in value
        if isinstance(each, dict)
        and isinstance(each.get("name"), str)
        and isinstance(each.get("template"), str)
    }
    return named.get("default") or next(iter(named.values()), None)


def _front_matter(readme: str) -> dict[str, str]:
    """The plain `key: value` lines between the first two `---`; a list gives its first item."""
    lines = readme.lstrip("\ufeff").split("\n")
    if not lines or lines[0].strip() != "---":
        return {}
    found: dict[str, str] = {}
    key = ""
    for line in lines[1:]:
        if line.strip() == "---":
            return found
        if line[:1].isalpha() and ":" in line:
            key, _, value = line.partition(":")
            found[key.strip()] = value.strip().strip("\"'")
        elif line.lstrip().startswith("- ") and key and not found.get(key.strip()):
            found[key.strip()] = line.lstrip()[2:].strip().strip("\"'")
    return {}
