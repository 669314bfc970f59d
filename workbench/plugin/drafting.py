"""Declares a drafter: a way to guess the next tokens of an answer, for speculative decoding."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict

from workbench.engines.base import Tokenizer
from workbench.engines.speculation import Drafter
from workbench.errors import PluginError
from workbench.plugin.version import API_VERSION

Make = Callable[[Tokenizer], Drafter]
_M = TypeVar("_M", bound=Make)


class DraftMethod(BaseModel):
    """What a plugin offers for guessing ahead: a name, and what makes a drafter for a loaded model."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    name: str
    title: str
    summary: str
    documentation: str
    api_version: str
    make: Make


def drafter(name: str, *, title: str) -> Callable[[_M], _M]:
    """Declare a class or function as a way to guess ahead (speculative decoding, arXiv 2211.17192).

    It is called with the model's tokenizer, once for each model that is loaded with `--draft plugin:NAME`,
    and gives a `Drafter`. Its docstring is the documentation. Guesses change no token of an answer: each is
    checked by the model, and only right ones are kept. After an error the answer goes on without guesses.

    Args:
        name: The name on the command line, lower case with dashes.
        title: What a person calls it.

    Raises:
        PluginError: It has no docstring.
    """

    def declare(make: _M) -> _M:
        documentation = inspect.getdoc(make) or ""
        if not documentation:
            raise PluginError(f"The drafter {name} has no docstring.", remedy="Say what it does in one.")
        make.__tenfold_drafter__ = DraftMethod(  # type: ignore[attr-defined]
            name=name,
            title=title,
            summary=documentation.splitlines()[0],
            documentation=documentation,
            api_version=API_VERSION,
            make=make,
        )
        return make

    return declare


def drafters_in(namespace: Mapping[str, Any]) -> list[DraftMethod]:
    """The drafters that a module's namespace declares, in order."""
    # From the own namespace of each: a subclass would inherit what its base was declared as.
    found = (
        vars(value).get("__tenfold_drafter__") for value in namespace.values() if hasattr(value, "__dict__")
    )
    return [each for each in found if isinstance(each, DraftMethod)]
