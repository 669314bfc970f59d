"""Which installed packages a requirement brings, with all that they require in turn."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from importlib import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from workbench.errors import NotFoundError


def closure(wanted: Sequence[str]) -> list[metadata.Distribution]:
    """The installed packages that requirements name, directly or not, in the order of their names.

    Args:
        wanted: Requirements, for example `tenfold[llama]`; their versions are not compared.

    Raises:
        NotFoundError: One is not installed here.
    """
    found: dict[str, metadata.Distribution] = {}
    seen: set[tuple[str, str]] = set()
    waiting = deque((Requirement(each), "") for each in wanted)
    while waiting:
        requirement, of = waiting.popleft()
        name = canonicalize_name(requirement.name)
        if name not in found:
            found[name] = _installed(requirement.name, of)
        for extra in ("", *sorted(requirement.extras)):
            if (name, extra) in seen:
                continue
            seen.add((name, extra))
            for text in found[name].requires or ():
                each = Requirement(text)
                if each.marker is None or each.marker.evaluate({"extra": extra}):
                    waiting.append((each, requirement.name))
    return [found[name] for name in sorted(found)]


def _installed(name: str, of: str) -> metadata.Distribution:
    try:
        return metadata.distribution(name)
    except metadata.PackageNotFoundError as error:
        raise NotFoundError(
            f"The package {name} is not installed here{f', and {of} needs it' if of else ''}.",
            remedy=f"Install it: pip install {name}",
        ) from error
