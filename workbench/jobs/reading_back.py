"""Reads the result of a job back: what can't be read here could not be read by anyone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from workbench.errors import ModelFileError, PluginError
from workbench.jobs import publish
from workbench.jobs.events import Artifact, now
from workbench.jobs.story import place_from
from workbench.model import ModelFacts
from workbench.plugin import Operation


def read_back(
    operation: Operation, result: Path, folder: Path, name: str, check: Callable[[], None]
) -> Artifact:
    """What an operation made, with its hash, its size, and its format where it is a model.

    Args:
        result: The file or folder, where it stays.
        folder: The job's own, which its place is told from.
        name: What the result is called.
        check: Called while it is read; what it raises ends that.

    Raises:
        PluginError: It should be a model, and is none that can be read.
    """
    # Imported here: a job reaches this at its end, and the readers take a tenth of a second.
    from workbench.library.hashing import content_hash
    from workbench.library.inspect import inspect

    facts: ModelFacts | None = None
    if operation.output is not None:
        try:
            facts = inspect(result)
        except ModelFileError as error:
            raise PluginError(
                f"{operation.title} made something that is not a readable model: {error.reason}",
                details=str(error),
            ) from error
    files = facts.files if facts else publish.names_in(result)
    return Artifact(
        now(),
        role="model" if facts else "file",
        path=place_from(folder, result),
        sha256=content_hash(result, files, lambda _done, _total: check()),
        size_bytes=facts.size_bytes if facts else publish.size_bytes(result),
        format=facts.format if facts else "",
        name=name,
    )
