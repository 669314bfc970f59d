"""Requirements: which of them Tenfold's own environment fulfils, and how they are written."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import metadata

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from workbench import __version__
from workbench.errors import PluginError

#: What a worker imports of Tenfold's own requirements: an environment must not hold versions of these that
#: Tenfold can't work with. The others it may have in any version.
_WORKER_NEEDS = frozenset({"filelock", "msgspec", "numpy", "platformdirs", "psutil", "pydantic"})
_OWN_NAME = "tenfold"


def parsed(text: str) -> Requirement:
    """One requirement as PEP 508 writes it, for example `packaging==20.9`.

    Raises:
        PluginError: It is not well formed.
    """
    try:
        return Requirement(text)
    except InvalidRequirement as error:
        raise PluginError(
            f"“{text[:200]}” is not a requirement.",
            remedy="Write it as in pyproject.toml, for example packaging==20.9.",
            details=str(error),
        ) from error


def normalized(requirements: Iterable[str]) -> tuple[str, ...]:
    """The requirements that hold on this machine, sorted, each written in one way.

    >>> normalized(["Foo_Bar >=1, <2", "foo-bar>=1,<2", "win-only; sys_platform == 'nowhere'"])
    ('foo-bar<2,>=1',)
    """
    found = set()
    for text in requirements:
        requirement = parsed(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            requirement.marker = None
            requirement.name = canonicalize_name(requirement.name)
            found.add(str(requirement))
    return tuple(sorted(found))


def unfulfilled(requirements: Iterable[str]) -> tuple[str, ...]:
    """Those that Tenfold's own environment lacks or has in another version.

    Raises:
        PluginError: It needs another version of Tenfold.
    """
    missing = []
    for text in normalized(requirements):
        requirement = parsed(text)
        if requirement.name == _OWN_NAME:
            _check_own_version(requirement)
        elif requirement.url is not None or not _is_here(requirement):
            missing.append(text)
    return tuple(missing)


def constraints() -> tuple[str, ...]:
    """What an environment may hold of the libraries that a worker itself needs."""
    own = [parsed(text) for text in metadata.requires(_OWN_NAME) or ()]
    return tuple(
        f"{each.name}{each.specifier}"
        for each in own
        if canonicalize_name(each.name) in _WORKER_NEEDS and each.marker is None
    )


def _is_here(requirement: Requirement) -> bool:
    try:
        version = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        return False
    return requirement.specifier.contains(version, prereleases=True)


def _check_own_version(requirement: Requirement) -> None:
    if not requirement.specifier.contains(__version__, prereleases=True):
        raise PluginError(
            f"It needs Tenfold {requirement.specifier}, and this is Tenfold {__version__}.",
            remedy="Install a version of the plugin that fits, or another Tenfold.",
        )
