"""Conditions that plugins state as data, so that the window can judge them without importing a plugin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

Test = Literal["is", "is_not", "one_of", "none_of", "at_least", "at_most", "known", "several"]


class Condition(BaseModel):
    """One test on a named value: a fact of a model, or another parameter of the same operation.

    Attributes:
        name: The fact or parameter, for example `format`, `parameters`, `quantization`.
        test: How `value` is compared with it. `known` asks that it is not None and not empty, `several` that
            it is a list of two or more.
        value: What it is compared with; a list for `one_of` and `none_of`.
        otherwise: Why the operation can't be used where the test fails, for a person.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    test: Test = "is"
    value: Any = None
    otherwise: str = ""

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Whether the test passes; a missing or None value fails every test but `is_not` and `none_of`."""
        found = values.get(self.name)
        match self.test:
            case "is":
                return bool(found == self.value)
            case "is_not":
                return bool(found != self.value)
            case "one_of":
                return found in self.value
            case "none_of":
                return found not in self.value
            case "at_least":
                return found is not None and bool(found >= self.value)
            case "at_most":
                return found is not None and bool(found <= self.value)
            case "known":
                return found not in (None, "", (), [], {})
            case "several":
                return isinstance(found, list | tuple) and len(found) > 1


class _Named:
    """Reads as a sentence: `fact("format").one_of("gguf", "hf")`."""

    def __init__(self, name: str) -> None:
        self._name = name

    def equals(self, value: Any, otherwise: str = "") -> Condition:
        return Condition(name=self._name, test="is", value=value, otherwise=otherwise)

    def differs_from(self, value: Any, otherwise: str = "") -> Condition:
        return Condition(name=self._name, test="is_not", value=value, otherwise=otherwise)

    def one_of(self, *values: Any, otherwise: str = "") -> Condition:
        return Condition(name=self._name, test="one_of", value=list(values), otherwise=otherwise)

    def none_of(self, *values: Any, otherwise: str = "") -> Condition:
        return Condition(name=self._name, test="none_of", value=list(values), otherwise=otherwise)

    def at_least(self, value: float, otherwise: str = "") -> Condition:
        return Condition(name=self._name, test="at_least", value=value, otherwise=otherwise)

    def at_most(self, value: float, otherwise: str = "") -> Condition:
        return Condition(name=self._name, test="at_most", value=value, otherwise=otherwise)

    def known(self, otherwise: str = "") -> Condition:
        return Condition(name=self._name, test="known", otherwise=otherwise)

    def several(self, otherwise: str = "") -> Condition:
        return Condition(name=self._name, test="several", otherwise=otherwise)


def fact(name: str) -> _Named:
    """Begin a condition on a fact of the model (the fields of `workbench.model.ModelFacts`)."""
    return _Named(name)


def setting(name: str) -> _Named:
    """Begin a condition on another parameter of the same operation."""
    return _Named(name)
