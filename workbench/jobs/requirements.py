"""What a `job.py` needs installed, each in the version that is installed here."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from importlib import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from workbench.packing.installed import DISTRIBUTION, parsed, public_version


def requirements(backend: str, version: str, own: Sequence[str] = ()) -> tuple[str, ...]:
    """The dependencies of a script, for its PEP 723 block.

    Args:
        backend: The extra of Tenfold that its operation works with; empty for none.
        version: Tenfold's version.
        own: Requirements of the operation itself, which go before those of the extra.
    """
    tenfold = f"{DISTRIBUTION}[{backend}]" if backend else DISTRIBUTION
    taken = {canonicalize_name(named.name) for each in own if (named := parsed(each)) is not None}
    pinned = [text for name, text in _pinned(backend) if name not in taken]
    return (f"{tenfold}=={public_version(version)}", *pinned, *own)


@lru_cache
def _pinned(backend: str) -> tuple[tuple[str, str], ...]:
    """The packages that an extra brings, by name; one that is not installed here keeps its open range."""
    try:
        declared = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        return ()  # run from a folder that was never installed
    found: dict[str, str] = {}
    for text in declared:
        each = Requirement(text)
        if not backend or each.marker is None or each.marker.evaluate({"extra": ""}):
            continue
        if each.marker.evaluate({"extra": backend}):
            found[canonicalize_name(each.name)] = _with_version(each, backend)
    return tuple(sorted(found.items()))


def _with_version(requirement: Requirement, backend: str) -> str:
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    try:
        wanted = f"=={public_version(metadata.version(requirement.name))}"
    except metadata.PackageNotFoundError:
        wanted = str(requirement.specifier)
    # What remains without the extra is where the package exists at all, for example only on Linux.
    place = str(requirement.marker).replace(f'extra == "{backend}"', "").strip().removesuffix(" and").strip()
    return f"{requirement.name}{extras}{wanted}" + (f"; {place}" if place else "")
