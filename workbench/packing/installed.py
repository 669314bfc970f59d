"""Tells which packages a requirement brings, in the versions that are installed here."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from workbench.errors import NotFoundError

#: What Tenfold itself is called among packages.
DISTRIBUTION = "tenfold"


@dataclass(frozen=True, slots=True)
class Needed:
    """A package that is needed.

    Attributes:
        requirement: How it was first asked for.
        installed: None where it is not installed here.
        by: What asks for it; empty for what was asked for at first.
    """

    requirement: Requirement
    installed: metadata.Distribution | None
    by: str = ""


def needed(wanted: Sequence[str]) -> list[Needed]:
    """The packages that requirements name, directly or not, each once, in the order of their names.

    Args:
        wanted: Requirements, for example `tenfold[llama]`; their versions are not compared.
    """
    found: dict[str, Needed] = {}
    seen: set[tuple[str, str]] = set()
    waiting = deque((Requirement(each), "") for each in wanted)
    while waiting:
        requirement, by = waiting.popleft()
        name = canonicalize_name(requirement.name)
        if name not in found:
            found[name] = Needed(requirement, _installed(requirement.name), by)
        installed = found[name].installed
        for extra in ("", *sorted(requirement.extras)):
            if installed is None or (name, extra) in seen:
                continue
            seen.add((name, extra))
            for text in installed.requires or ():
                each = Requirement(text)
                if each.marker is None or each.marker.evaluate({"extra": extra}):
                    waiting.append((each, requirement.name))
    return [found[name] for name in sorted(found)]


def closure(wanted: Sequence[str]) -> list[metadata.Distribution]:
    """The installed packages that `needed` names.

    Raises:
        NotFoundError: One is not installed here.
    """
    found = []
    for each in needed(wanted):
        if each.installed is None:
            name = each.requirement.name
            raise NotFoundError(
                f"The package {name} is not installed here{f', and {each.by} needs it' if each.by else ''}.",
                remedy=f"Install it: pip install {name}",
            )
        found.append(each.installed)
    return found


def parsed(text: str) -> Requirement | None:
    """A requirement; None for what is none, which is refused in words where an environment is made."""
    try:
        return Requirement(text)
    except InvalidRequirement:
        return None


def public_version(version: str) -> str:
    """A version without its local part, which no index knows.

    >>> public_version("2.13.0+cpu")
    '2.13.0'
    """
    try:
        return Version(version).public
    except InvalidVersion:
        return version


def _installed(name: str) -> metadata.Distribution | None:
    try:
        return metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return None
