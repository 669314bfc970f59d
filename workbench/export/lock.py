"""Pins everything that a job needs installed to the versions that made it here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from importlib import metadata

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from workbench.export.wheel import DISTRIBUTION


def lock(backend: str, own: Sequence[str] = ()) -> tuple[str, ...]:
    """What Tenfold, one of its extras and the operation itself require, with all that these require.

    Tenfold is left out: its wheel travels along. A package that is not installed here keeps its range, and
    so does what an operation requires for itself, whose environment may be another one.

    Args:
        backend: The extra of Tenfold that the operation works with; empty for none.
        own: Requirements of the operation itself.
    """
    named = {canonicalize_name(each.name): each for each in _parsed(own)}
    pins: dict[str, str] = {name: str(each) for name, each in named.items()}
    seen: set[tuple[str, str]] = set()
    waiting = [Requirement(f"{DISTRIBUTION}[{backend}]" if backend else DISTRIBUTION)]
    while waiting:
        wanted = waiting.pop()
        name = canonicalize_name(wanted.name)
        try:
            installed = metadata.distribution(wanted.name)
        except metadata.PackageNotFoundError:
            pins.setdefault(name, f"{wanted.name}{wanted.specifier}")
            continue
        if name != DISTRIBUTION and name not in named:
            pins[name] = f"{wanted.name}=={_public(installed.version)}"
        for extra in ("", *sorted(wanted.extras)):
            if (name, extra) not in seen:
                seen.add((name, extra))
                waiting += _required(installed, extra)
    return tuple(pins[name] for name in sorted(pins))


def _required(installed: metadata.Distribution, extra: str) -> Iterator[Requirement]:
    for each in _parsed(installed.requires or ()):
        alone = each.marker is None or each.marker.evaluate({"extra": ""})
        if (not extra and alone) or (
            extra and each.marker is not None and not alone and each.marker.evaluate({"extra": extra})
        ):
            yield each


def _parsed(texts: Iterable[str]) -> Iterator[Requirement]:
    for text in texts:
        try:
            yield Requirement(text)
        except InvalidRequirement:
            continue  # it is refused where an environment is made, in words


def _public(version: str) -> str:
    """A version without its local part, which no index knows."""
    try:
        return Version(version).public
    except InvalidVersion:
        return version
