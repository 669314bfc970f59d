"""What a finished job told, kept small: the figures that a run elsewhere is compared with."""

from __future__ import annotations

from pathlib import Path

import msgspec

from workbench.jobs.events import Artifact, Event, EventTail, Input, Metric, State
from workbench.jobs.script import with_expected, with_files

#: How much of a job is done again to compare: at most so many points of a series, from its first part.
_POINTS = 5
FIRST_PART_S = 60.0
#: Rounding on another processor or in another version changes the first figures by far less; another model,
#: other data or another order of them by more.
_TOLERANCE = 0.02
#: Units of what is measured of a machine, which no other machine can repeat.
_OF_MACHINE = frozenset({"B", "%", "W", "s", "ms", "°C"})


class Figures(msgspec.Struct, frozen=True):
    """The first points of one series.

    Attributes:
        tolerance: By which share of its size a value may differ.
        points: Each a step (its number where the series has no steps) and the value.
    """

    tolerance: float
    points: tuple[tuple[int, float], ...]


class Expected(msgspec.Struct, frozen=True):
    """What a job told and made.

    Attributes:
        seconds: How long it worked.
        sha256: The content hash of its result.
        figures: Series by name, in the order of their first point.
    """

    seconds: float = 0.0
    sha256: str = ""
    figures: dict[str, Figures] = {}

    @property
    def is_short(self) -> bool:
        """Whether the whole job is done again, and its result compared."""
        return self.seconds <= FIRST_PART_S


class FirstPoints:
    """Gathers the first points of every series that another machine can repeat."""

    def __init__(self) -> None:
        self.points: dict[str, dict[int, float]] = {}

    def add(self, event: Metric) -> None:
        if event.unit in _OF_MACHINE or event.unit.endswith("/s"):
            return
        series = self.points.setdefault(event.name, {})
        place = len(series) if event.step is None else event.step
        # A run that was killed did some steps twice, with the same figures.
        if place in series or len(series) < _POINTS:
            series[place] = event.value


def recorded(folder: Path) -> Expected | None:
    """What the job in a folder told; None where it is not done."""
    tail = EventTail(folder / "events.jsonl")
    gathered, artifact = FirstPoints(), ""
    began: float | None = None
    seconds, done = 0.0, False
    while events := tail.read():
        for event in events:
            began, seconds = _worked(event, began, seconds)
            if isinstance(event, Metric) and seconds + event.t - (began or event.t) <= FIRST_PART_S:
                gathered.add(event)
            elif isinstance(event, Artifact):
                artifact = event.sha256
            elif isinstance(event, State):
                done = event.state == "done"
    if not done:
        return None
    figures = {
        name: Figures(_TOLERANCE, tuple(sorted(points.items()))) for name, points in gathered.points.items()
    }
    return Expected(round(seconds, 1), artifact, figures)


def told_inputs(folder: Path) -> dict[str, tuple[str, ...]]:
    """The hashes of the files that parameters stood for when the job in a folder last ran."""
    told: dict[str, tuple[str, ...]] = {}
    tail = EventTail(folder / "events.jsonl")
    while events := tail.read():
        told |= {event.name: event.sha256s for event in events if isinstance(event, Input)}
    return told


def exported_script(folder: Path) -> str:
    """The text of a job's script with the hashes of its files; where the job is done, with what it told.

    Raises:
        OSError: It can't be read.
    """
    text = with_files((folder / "job.py").read_text(encoding="utf-8"), told_inputs(folder))
    expected = recorded(folder)
    return text if expected is None else with_expected(text, msgspec.to_builtins(expected))


def _worked(event: Event, began: float | None, seconds: float) -> tuple[float | None, float]:
    """When the present run began, and how long all before it took."""
    if not isinstance(event, State):
        return began, seconds
    if event.state == "running":
        return event.t, seconds
    return None, seconds + (event.t - began if began is not None else 0.0)
