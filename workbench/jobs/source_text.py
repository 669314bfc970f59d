"""Writes values and words of a job as Python source that nobody's file name can turn into code."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator
from typing import Any

_WIDTH = 110


def literal(value: Any) -> str:
    """A JSON value as Python source, on one line."""
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    if isinstance(value, dict):
        return "{" + ", ".join(f"{literal(str(k))}: {literal(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(literal, value)) + "]"
    if isinstance(value, str):
        # ascii() keeps control and look-alike characters of a hostile name from acting as source.
        text = repr(value) if value.isprintable() else ascii(value)
        return '"' + text[1:-1] + '"' if text[0] == "'" and '"' not in text else text
    return repr(value)


def plain(text: str) -> str:
    """Text that can stand in a docstring whatever a model's file calls itself."""
    visible = "".join(sign if sign.isprintable() else " " for sign in text)
    return " ".join(visible.replace("\\", "/").replace('"', "'").split()).rstrip(".")


def comment(text: str, indent: str = "    ") -> Iterator[str]:
    """The lines of a comment."""
    start = f"{indent}# "
    yield from textwrap.wrap(
        plain(text), _WIDTH, initial_indent=start, subsequent_indent=start, break_on_hyphens=False
    )
