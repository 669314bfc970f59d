"""The steps of a recipe: each a job, with where its inputs come from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from workbench.jobs.worker import Job


@dataclass(frozen=True, slots=True)
class FromInput:
    """A model that the recipe is given, by its name among the inputs."""

    name: str


@dataclass(frozen=True, slots=True)
class FromStep:
    """What another step of the recipe makes, by the step's name."""

    name: str


Source = FromInput | FromStep


@dataclass(frozen=True, slots=True)
class Step:
    """One job of a recipe.

    Attributes:
        name: What it is called on the command line and in the folder of the steps.
        title: What it does, for a person.
        job: The job; among its parameters a `FromInput` or `FromStep` stands for a file.
        start: The model that it starts from; None for one that makes a model from nothing.
        sha256: The content hash of what it made where the recipe was exported.
    """

    name: str
    title: str
    job: Job
    start: Source | None = None
    sha256: str = ""

    def sources(self, chosen: Mapping[str, Any]) -> Iterator[Source]:
        """Where its inputs come from; a parameter that a person set no longer counts.

        Args:
            chosen: The parameters that were set on the command line.
        """
        if self.start is not None:
            yield self.start
        for name, value in self.job.params.items():
            if name not in chosen:
                yield from sources_in(value)


def sources_in(value: Any) -> Iterator[Source]:
    """The inputs and steps that one parameter's value stands for."""
    for each in value if isinstance(value, list | tuple) else [value]:
        if isinstance(each, FromInput | FromStep):
            yield each
