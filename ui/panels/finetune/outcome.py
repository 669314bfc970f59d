"""What a finished training proved, read from the files beside its result."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import msgspec

from workbench.errors import ModelFileError
from workbench.library.bounded import read_json
from workbench.library.tuning_facts import MAX_BYTES, PROOF, RUN

_T = TypeVar("_T", bound=msgspec.Struct)


class HeldOut(msgspec.Struct, frozen=True):
    """Mean loss of a token in the held-out rows."""

    before: float
    after: float


class Task(msgspec.Struct, frozen=True):
    """Answers to held-out tasks: shares that were right, with Wilson's 95 % intervals.

    Attributes:
        only_before, only_after: Items that were right at that time alone.
        p: Of the paired test; chance of such a difference without any effect.
        verdict: What that shows, in words.
    """

    items: int
    before: float
    after: float
    wilson_before: tuple[float, float] | None = None
    wilson_after: tuple[float, float] | None = None
    only_before: int | None = None
    only_after: int | None = None
    p: float | None = None
    verdict: str = ""


class Forgetting(msgspec.Struct, frozen=True):
    """The distance from the base on text that was not trained on; `grade` says it in words."""

    mean_kld: float
    p99_kld: float | None = None
    same_top: float | None = None
    tokens: int | None = None
    accuracy_before: float | None = None
    accuracy_after: float | None = None
    items: int | None = None
    p: float | None = None
    grade: str = ""


class Outcome(msgspec.Struct, frozen=True):
    """What there is of it."""

    held_out: HeldOut | None = None
    task: Task | None = None
    forgetting: Forgetting | None = None


class _Run(msgspec.Struct):
    held_out_before: float | None = None
    held_out_best: float | None = None


def outcome_in(folder: Path) -> Outcome:
    """What the files in a folder say; a damaged one counts as none, as it decides nothing."""
    found = _read(folder / PROOF, Outcome) or Outcome()
    run = _read(folder / RUN, _Run)
    if found.held_out is None and run is not None and run.held_out_before is not None:
        after = run.held_out_best if run.held_out_best is not None else run.held_out_before
        return Outcome(HeldOut(run.held_out_before, after), found.task, found.forgetting)
    return found


def _read(path: Path, kind: type[_T]) -> _T | None:
    if not path.is_file():
        return None
    try:
        return msgspec.convert(read_json(path, MAX_BYTES), kind)
    except (ModelFileError, msgspec.ValidationError):
        return None
