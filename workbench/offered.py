"""How a parameter names something that a plugin offers, such as a metric: `PLUGIN:NAME`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from workbench.errors import UsageError
from workbench.params import FieldSpec


class Offered(NamedTuple):
    """Something that a plugin offers.

    Attributes:
        plugin: A module, or `file:NAME.py`, as in the spec of a job.
        name: What the plugin calls it.

    >>> str(Offered("file:length.py", "answer-length"))
    'file:length.py:answer-length'
    >>> Offered.read("file:length.py:answer-length")
    Offered(plugin='file:length.py', name='answer-length')
    """

    plugin: str
    name: str

    def __str__(self) -> str:
        return f"{self.plugin}:{self.name}"

    @classmethod
    def read(cls, text: str) -> Offered:
        """Take the text of a parameter apart.

        Raises:
            UsageError: It names no plugin.
        """
        plugin, _, name = text.rpartition(":")
        if not plugin or not name:
            raise UsageError(
                f"“{text}” does not say which plugin offers it.",
                remedy="Write PLUGIN:NAME, for example my_plugin:answer-length.",
            )
        return cls(plugin, name)


def named_values(fields: Sequence[FieldSpec], values: Mapping[str, Any]) -> tuple[str, ...]:
    """All that parameters name of what plugins offer, as `PLUGIN:NAME`."""
    return tuple(
        text for field in fields if field.offered for text in _texts(values.get(field.name)) if ":" in text
    )


def plugins_named(fields: Sequence[FieldSpec], values: Mapping[str, Any]) -> tuple[str, ...]:
    """The plugins that parameters name something of, each once: their code runs in the job too."""
    return tuple(dict.fromkeys(Offered.read(text).plugin for text in named_values(fields, values)))


def in_full(fields: Sequence[FieldSpec], values: Mapping[str, Any]) -> dict[str, Any]:
    """Checked values, in which a bare name became that of the first plugin that offers something so called.

    Raises:
        UsageError: No plugin that is switched on offers what is named.
    """
    found = dict(values)
    for field in fields:
        value = values.get(field.name)
        if field.offered and value:
            full = [_in_full(field, text) for text in _texts(value)]
            found[field.name] = full[0] if isinstance(value, str) else full
    return found


def _in_full(field: FieldSpec, text: str) -> str:
    for choice in field.choices:
        if text in (choice.value, Offered.read(choice.value).name):
            return choice.value
    known = ", ".join(Offered.read(choice.value).name for choice in field.choices) or "none"
    raise UsageError(
        f"No plugin that is switched on offers the {field.offered.replace('-', ' ')} “{text}”.",
        remedy=f"There are: {known}.",
    )


def _texts(value: Any) -> Sequence[str]:
    if isinstance(value, str):
        return [value] if value else []
    return value or []
