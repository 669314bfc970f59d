"""Reads what a job told elsewhere, once through: its ending, its result, what it is, and where it ran."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from workbench.jobs.events import Artifact, Event, EventTail, Machine, Metric, Progress, Spec, State, now

#: Clocks differ; a moment further ahead is no moment, and no calendar can show it.
_AHEAD_S = 86_400.0

_encoder = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Told:
    """What the events of a job say as a whole.

    Attributes:
        fingerprint: The same for the same events in any folder.
        began: The moment of the first event.
        spec: What it says that it is: claims, not checked.
        done: Whether its last state says so.
        artifact: What it published last.
        machine: Where it ran last.
    """

    fingerprint: str
    began: float
    spec: Spec | None
    done: bool
    artifact: Artifact | None
    machine: Machine | None


def read_told(events: Path) -> Told:
    """Read the events of a job through."""
    digest = hashlib.sha256()
    last: dict[type[Event], Event] = {}
    began: float | None = None
    for event in _all(events):
        began = event.t if began is None else began
        last[type(event)] = event
        if not isinstance(event, Spec):
            digest.update(_encoder.encode(_bare(event)) + b"\n")
    spec, state, artifact, machine = (last.get(kind) for kind in (Spec, State, Artifact, Machine))
    return Told(
        digest.hexdigest(),
        now() if began is None else began,
        spec if isinstance(spec, Spec) else None,
        isinstance(state, State) and state.state == "done",
        artifact if isinstance(artifact, Artifact) else None,
        machine if isinstance(machine, Machine) else None,
    )


def events_in(path: Path) -> Iterator[Event]:
    """The events that can be shown, without what says what the job is and which process it was."""
    for event in _all(path):
        if not isinstance(event, Spec):
            yield _bare(event)


def _all(path: Path) -> Iterator[Event]:
    tail = EventTail(path)
    offset = -1
    # A block may hold damaged lines alone, and more may follow it.
    while tail.offset != offset:
        offset = tail.offset
        for event in tail.read():
            if _is_sound(event):
                yield event


def _bare(event: Event) -> Event:
    return msgspec.structs.replace(event, pid=None) if isinstance(event, State) else event


def _is_sound(event: Event) -> bool:
    """Whether its figures are ones that a plot and a calendar can show."""
    if not 0 <= event.t <= now() + _AHEAD_S:
        return False
    if isinstance(event, Progress):
        return math.isfinite(event.done) and math.isfinite(event.total)
    return not isinstance(event, Metric) or math.isfinite(event.value)
