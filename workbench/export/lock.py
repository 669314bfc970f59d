"""Pins everything that a job needs installed to the versions that made it here."""

from __future__ import annotations

from collections.abc import Sequence

from packaging.utils import canonicalize_name

from workbench.packing.installed import DISTRIBUTION, needed, parsed, public_version


def lock(backend: str, own: Sequence[str] = ()) -> tuple[str, ...]:
    """What Tenfold, one of its extras and the operation itself require, with all that these require.

    Tenfold is left out: its wheel travels along. A package that is not installed here keeps its range, and
    so does what an operation requires for itself, whose environment may be another one.

    Args:
        backend: The extra of Tenfold that the operation works with; empty for none.
        own: Requirements of the operation itself.
    """
    asked = [named for text in own if (named := parsed(text)) is not None]
    pins = {canonicalize_name(named.name): str(named) for named in asked}
    for each in needed([f"{DISTRIBUTION}[{backend}]" if backend else DISTRIBUTION]):
        wanted = each.requirement
        if wanted.name == DISTRIBUTION:
            continue
        exact = f"=={public_version(each.installed.version)}" if each.installed is not None else ""
        pins.setdefault(canonicalize_name(wanted.name), f"{wanted.name}{exact or wanted.specifier}")
    return tuple(pins[name] for name in sorted(pins))
