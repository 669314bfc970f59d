"""The record of a sweep: one JSON line for its plan, and one for everything that became of a trial."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import msgspec
from filelock import FileLock, Timeout
from msgspec import Struct

from workbench.cluster.sweep_space import Dimension
from workbench.errors import NotFoundError
from workbench.home import Home

TrialState = Literal["waiting", "running", "done", "failed", "stopped"]
SweepState = Literal["waiting", "running", "done", "stopped", "failed"]
Mode = Literal["min", "max"]

#: A line is short; a hostile or damaged file is read up to here.
_MOST_BYTES = 64 << 20


class Plan(Struct, frozen=True, kw_only=True, tag="plan", tag_field="kind"):
    """What is swept: the first line.

    Attributes:
        specs: The job of each trial, as JSON of a `JobSpec`.
        values: What each trial varies.
        metric: What is compared: a series that the jobs report, or a figure of the finished job.
        parallel: Trials at the same time.
        stop_early: Whether trials that lag behind are ended before their end.
    """

    t: float
    title: str
    operation: str
    model: str
    dimensions: tuple[Dimension, ...]
    values: tuple[dict[str, Any], ...]
    specs: tuple[dict[str, Any], ...]
    metric: str
    mode: Mode
    seed: int = 0
    parallel: int = 1
    stop_early: bool = False


class Trial(Struct, frozen=True, kw_only=True, tag="trial", tag_field="kind", omit_defaults=True):
    """What is known of a trial now; the newest line of a number counts.

    Attributes:
        job: The id of its job.
        value: The metric, the best so far; None where none is known.
        figures: Of the finished job, by name.
    """

    t: float
    number: int
    state: TrialState
    job: str = ""
    value: float | None = None
    step: int | None = None
    figures: dict[str, float] = {}
    reason: str = ""


class Turn(Struct, frozen=True, kw_only=True, tag="state", tag_field="kind", omit_defaults=True):
    """The sweep itself is about to begin, began, went on, or ended."""

    t: float
    state: SweepState
    reason: str = ""


_Line = Plan | Trial | Turn
_decoder = msgspec.json.Decoder(_Line)


class Sweep:
    """A sweep as its file tells it. Reading again takes in what is new.

    Attributes:
        state, reason: As its record says last; a process that was killed said nothing.
        since: When that was said, in seconds since the epoch.

    Args:
        folder: `HOME/sweeps/ID`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.plan: Plan | None = None
        self.state: SweepState = "waiting"
        self.reason = ""
        self.since = 0.0
        self.trials: list[Trial] = []
        self._offset = 0

    @property
    def id(self) -> str:
        return self.folder.name

    @property
    def path(self) -> Path:
        return self.folder / "sweep.jsonl"

    @property
    def stop_file(self) -> Path:
        """A file that asks who runs the sweep to end it; processes that Ray starts share nothing else."""
        return self.folder / "stop"

    def lock(self) -> FileLock:
        """Held by the process that runs the sweep."""
        return FileLock(self.folder / "run.lock")

    def is_at_work(self) -> bool:
        """Whether a process runs it now: what its record says last may be of one that was killed."""
        if not self.folder.is_dir():
            return False
        try:
            with self.lock().acquire(timeout=0):
                return False
        except Timeout:
            return True

    def read(self) -> bool:
        """Take in the lines that were added; whether there were any."""
        try:
            with self.path.open("rb") as file:
                file.seek(self._offset)
                block = file.read(_MOST_BYTES)
        except OSError:
            return False
        end = block.rfind(b"\n") + 1
        self._offset += end
        for line in block[:end].splitlines():
            try:
                self._take(_decoder.decode(line))
            except (msgspec.MsgspecError, UnicodeDecodeError):
                continue  # cut off by a full disk or a crash: only this line is lost
        return end > 0

    def best(self) -> Trial | None:
        """The trial with the best value; None where none has any."""
        known = [each for each in self.trials if each.value is not None]
        if self.plan is None or not known:
            return None
        sign = 1 if self.plan.mode == "min" else -1
        return min(known, key=lambda each: sign * (each.value or 0.0))

    def write(self, line: _Line) -> None:
        """Add a line; several processes may, each a whole one.

        Raises:
            OSError: The disk is full.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self.folder / "sweep.lock"), self.path.open("ab") as file:
            file.write(msgspec.json.encode(line) + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def _take(self, line: _Line) -> None:
        if isinstance(line, Plan):
            self.plan = line
            self.trials = [Trial(t=line.t, number=at, state="waiting") for at in range(len(line.values))]
        elif isinstance(line, Turn):
            self.state, self.reason, self.since = line.state, line.reason, line.t
        elif 0 <= line.number < len(self.trials):
            self.trials[line.number] = line


def new_sweep(home: Home) -> Sweep:
    """A sweep with a folder of its own; ids sort by time."""
    moment = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    return Sweep(folder_of_sweeps(home) / f"{moment}-{secrets.token_hex(2)}")


def all_sweeps(home: Home) -> list[Sweep]:
    """The sweeps of a home, newest first; those that can't be read are left out."""
    folders: Iterable[Path] = folder_of_sweeps(home).glob("*/sweep.jsonl")
    found = [Sweep(each.parent) for each in sorted(folders, reverse=True)]
    return [each for each in found if each.read() and each.plan is not None]


def find_sweep(home: Home, key: str) -> Sweep:
    """The sweep with an id, or the only one that begins or ends so; `last` is the newest.

    Raises:
        NotFoundError: There is none, or several.
    """
    known = all_sweeps(home)
    found = [each for each in known if each.id.startswith(key) or each.id.endswith(key)]
    if key == "last":
        found = known[:1]
    if len(found) != 1:
        listed = ", ".join(each.id for each in (found or known)[:5]) or "none"
        raise NotFoundError(f"There is no one sweep {key!r}.", remedy=f"There are: {listed}.")
    return found[0]


def folder_of_sweeps(home: Home) -> Path:
    return home.root / "sweeps"
