"""Compares what a job is given with what its script was written for, before any work starts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Protocol

from workbench.errors import ModelFileError
from workbench.jobs.input_hashes import full_hash
from workbench.library.hashing import content_hash
from workbench.model import ModelFacts


class Follower(Protocol):
    """Who hears of a check while it reads: a running job, or a recipe that has not begun."""

    def log(self, text: str, *, level: Literal["info", "warning", "error"] = "info") -> None: ...

    def check(self) -> None:
        """Called between blocks; what it raises ends the reading."""


def found_beside(name: str, path: str, folders: Sequence[Path]) -> str:
    """Where the file or folder (an adapter is one) of a parameter lies: a script names it without its place.

    Raises:
        ModelFileError: It lies in none of the folders.
    """
    for place in (Path(path), *(folder / path for folder in folders)):
        if place.exists():
            return str(place)
    raise ModelFileError(
        Path(path), f"the file for “{name}” was not found.", remedy=f"Name it with --set {name}=PATH."
    )


def check_file(
    name: str, path: Path, expected: str, follower: Follower, *, chosen: bool, strict: bool
) -> str:
    """Compare the file or folder of a parameter with the one that the job was made with.

    Args:
        expected: Its hash; empty where it is not known.
        chosen: Whether a person named it on the command line, and so may mean another one.
        strict: Whether it must be the same even then, as where figures are compared.

    Returns:
        The hash that it has; empty where that can't be told.

    Raises:
        ModelFileError: It is another one.
    """
    found = full_hash(path, follower.check)
    if not expected or not found or found == expected:
        return found
    if strict:
        raise _not_comparable(path, found, expected)
    if not chosen:
        raise ModelFileError(
            path,
            f"it is another file than the job was made with: its sha256 is {found}, not {expected}.",
            remedy=f"Put the same file beside the script, or name this one with --set {name}=PATH.",
        )
    _warn(path, found, expected, follower)
    return found


def check_model(
    path: Path,
    facts: ModelFacts,
    expected: str,
    follower: Follower,
    *,
    known: str | None = None,
    any_model: bool = False,
    strict: bool = False,
) -> str:
    """Compare a model with the one that the script was written for. Returns the hash that it has.

    Args:
        known: Its hash, where whoever starts the job vouches for it, so that it is not read.
        any_model: Whether a person said that it may be another one.
        strict: Whether it must be the same even then, as where figures are compared.

    Raises:
        ModelFileError: It is another one.
    """
    found = known
    if found is None:
        follower.log("Checking that this is the model that the script was written for.")
        found = content_hash(path, facts.files, lambda _done, _total: follower.check())
    if found == expected:
        return found
    if strict:
        raise _not_comparable(path, found, expected)
    if not any_model:
        raise ModelFileError(
            path,
            f"it is another model than the script was written for: its sha256 is {found}, not {expected}.",
            remedy="Name that one, or add --any-model to do the same with this one.",
        )
    _warn(path, found, expected, follower)
    return found


def _not_comparable(path: Path, found: str, expected: str) -> ModelFileError:
    return ModelFileError(
        path,
        f"its sha256 is {found}, and the job was made with {expected}: figures can't be compared.",
        remedy="Name the same file.",
    )


def _warn(path: Path, found: str, expected: str, follower: Follower) -> None:
    follower.log(
        f"{path.name} is not the same: its sha256 is {found}, and the script names {expected}. "
        "The result will differ.",
        level="warning",
    )
