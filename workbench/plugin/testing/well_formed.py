"""Checks that what a job said can be drawn: whole lines, finite figures, progress within its total."""

from __future__ import annotations

import math
from itertools import groupby, pairwise

from workbench.jobs.events import Artifact, Error, Input, Machine, Metric, Progress, Spec, State
from workbench.plugin.testing.trial import Trial

#: What the worker says of a job, and not its operation.
_FRAME = Spec | State | Artifact | Error | Machine | Input


def faults(trial: Trial) -> list[str]:
    """What is wrong with a job's events, in sentences; empty where nothing is."""
    found = [f"{trial.damaged} of its events can't be read."] if trial.damaged else []
    if not trial.events or not isinstance(trial.events[0], Spec):
        found.append("Its events do not begin with what the job is.")
    # Who makes an environment for the job says that it runs, and then the worker does.
    states = [key for key, _ in groupby(event.state for event in trial.events if isinstance(event, State))]
    if states[:2] != ["queued", "running"] or states[-1:] != [trial.state] or len(states) != 3:
        found.append(f"Its states are {', '.join(states)}.")
    if trial.events and not isinstance(trial.events[-1], State):
        found.append("Something was reported after its last state.")
    found += _progress([event for event in trial.events if isinstance(event, Progress)], trial.state)
    found += _metrics([event for event in trial.events if isinstance(event, Metric)])
    times = [event.t for event in trial.events]
    if any(later < earlier - 1.0 for earlier, later in pairwise(times)):
        found.append("Its events go back in time.")
    return found


def _progress(reports: list[Progress], state: str) -> list[str]:
    if not reports:
        return ["It reports no progress."] if state == "done" else []
    found = []
    for each in reports:
        if not (math.isfinite(each.done) and math.isfinite(each.total) and 0 <= each.done <= each.total):
            found.append(f"It reports {each.done:g} of {each.total:g} as progress.")
    return found[:1]


def _metrics(figures: list[Metric]) -> list[str]:
    steps: dict[str, int] = {}
    for each in figures:
        if not each.name.strip():
            return ["It reports a figure without a name."]
        if not math.isfinite(each.value):
            return [f"The figure “{each.name}” is {each.value}, which can't be drawn."]
        if each.step is not None:
            if each.step < steps.get(each.name, each.step):
                return [f"The steps of “{each.name}” go back to {each.step}."]
            steps[each.name] = each.step
    return []


def counted(trial: Trial) -> str:
    """What there was, for a person: `12 events, 3 of progress`."""
    said = [event for event in trial.events if not isinstance(event, _FRAME)]
    reports = sum(isinstance(event, Progress) for event in said)
    return f"{len(said)} events, {reports} of progress"
