"""Keeps transformers from running code that a model brings along, whatever its caller asks for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from workbench.plugin import UnsafeModelError


@contextmanager
def no_remote_code(model: Path) -> Iterator[None]:
    """While entered, `trust_remote_code=True` is ignored: llama.cpp's converter sets it for some models.

    Raises:
        UnsafeModelError: The model can't be read without code of its own.
    """
    from transformers import AutoConfig, AutoTokenizer

    kept = [(each, each.__dict__["from_pretrained"]) for each in (AutoConfig, AutoTokenizer)]
    for auto, original in kept:
        auto.from_pretrained = classmethod(_distrusting(original.__func__))
    try:
        yield
    except ValueError as error:
        if "trust_remote_code" not in str(error):
            raise
        raise UnsafeModelError(
            model,
            "it can only be read by running Python code that it brings along, which Tenfold does not do.",
            remedy="Look for a version of the model in a format that needs none.",
            details=str(error),
        ) from error
    finally:
        for auto, original in kept:
            auto.from_pretrained = original


def _distrusting(function: Any) -> Any:
    def from_pretrained(cls: type, *arguments: Any, **options: Any) -> Any:
        return function(cls, *arguments, **{**options, "trust_remote_code": False})

    return from_pretrained
