"""Finds the model that an adapter belongs to, and the one that it can be loaded with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import PurePath, PureWindowsPath

from workbench.errors import NotFoundError
from workbench.library.records import ModelRecord
from workbench.model import AdapterContainer, AdapterFacts

#: Which formats of a base an adapter goes with, the usual one first.
_FORMATS: dict[AdapterContainer, tuple[str, ...]] = {
    "peft": ("hf", "mlx"),
    "mlx": ("mlx", "hf"),
    "gguf": ("gguf", "hf", "mlx"),
}
_HUB = "https://huggingface.co/"


def named_base(adapter: AdapterFacts, records: Iterable[ModelRecord]) -> ModelRecord | None:
    """The one model that an adapter's own words mean; None where none or several would do.

    A path that is the same says most, then the hub's address, then the name, then the end of either.
    """
    stated = (adapter.base or "").removeprefix(_HUB).strip("/ ")
    if not stated:
        return None
    whole, end = stated.casefold(), _end(stated).casefold()
    models = [record for record in records if record.format != "adapter"]
    tests: tuple[Callable[[ModelRecord], bool], ...] = (
        lambda record: str(record.path).strip("/") == stated,
        lambda record: record.source == f"hf:{stated}",
        lambda record: record.name.casefold() == whole,
        lambda record: end in (record.name.casefold(), record.path.name.casefold()),
    )
    for test in tests:
        meant = [record for record in models if test(record)]
        for format in _FORMATS[adapter.container]:
            fitting = [record for record in meant if record.format == format]
            if fitting:
                return fitting[0] if len(fitting) == 1 else None
    return None


def base_to_load(
    record: ModelRecord, container: AdapterContainer, records: Sequence[ModelRecord]
) -> ModelRecord | None:
    """The model that an adapter is loaded with: its parent, or for a GGUF adapter a GGUF form of its parent.

    Of several forms the one with the most bits a weight, as it differs least from what was trained on.
    """
    known = {each.id: each for each in records}
    parent = known.get(record.parent_id or "")
    if parent is None:
        return None
    if container != "gguf":
        return parent if parent.format in _FORMATS[container] else None
    if parent.format == "gguf":
        return parent
    forms: list[ModelRecord] = []
    above = {parent.id}
    while above:
        # Only from GGUF to GGUF: a model with another adapter merged into it is another base.
        found = [each for each in records if each.parent_id in above and each.format == "gguf"]
        found = [each for each in found if each not in forms]
        forms += found
        above = {each.id for each in found}
    return max(forms, key=lambda each: (each.bits_per_weight, each.created_at), default=None)


def no_base(record: ModelRecord, adapter: AdapterFacts | None) -> NotFoundError:
    """The error for an adapter whose base the library does not hold in the form that it is loaded with."""
    base = (adapter.base if adapter is not None else None) or "the model that it was trained on"
    if adapter is not None and adapter.container == "gguf":
        return NotFoundError(
            f"{record.name} is an adapter for llama.cpp, and the library holds no GGUF form of its base.",
            remedy=f"Add {base} as GGUF, or convert it.",
        )
    return NotFoundError(
        f"{record.name} is an adapter, and its base is not in the library.", remedy=f"Add {base} first."
    )


def _end(stated: str) -> str:
    """The last part of a path of any system, or of `ORG/NAME`.

    >>> _end("C:\\\\models\\\\tiny"), _end("org/tiny")
    ('tiny', 'tiny')
    """
    return PureWindowsPath(stated).name or PurePath(stated).name
