"""Decides how a job ended that ran in a cluster, and brings what it left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.cluster.client import JobInfo
from workbench.cluster.errors import ConnectionLostError, PlaceError
from workbench.cluster.mirror import EventMirror
from workbench.cluster.request import Result
from workbench.cluster.results import Fetcher, fetch_checkpoints, fetch_output
from workbench.cluster.voice import Voice
from workbench.jobs import exits, publish
from workbench.jobs.events import Artifact, Error, Event, State, now
from workbench.jobs.spec import JobSpec
from workbench.jobs.stop_requests import Request as Asked

#: Ray's words for jobs that it never got to run.
_QUEUE_TOO_LONG = "JOB_SUPERVISOR_ACTOR_START_TIMEOUT"
_NOT_SET_UP = ("RUNTIME_ENV_SETUP_FAILURE", "JOB_SUPERVISOR_ACTOR_UNSCHEDULABLE")

_CODES = {
    "done": exits.DONE,
    "paused": exits.PAUSED,
    "cancelled": exits.CANCELLED,
}


@dataclass(frozen=True)
class Conclusion:
    """How a job ended.

    Attributes:
        code: What the worker here ends with; what the job's own process did where it left no last word.
        events: The last words to write; none where the runner has to find them.
        again: Whether it is to be handed over anew.
        node_died: Whether that is since its node died.
    """

    code: int = exits.FAILED
    events: tuple[Event, ...] = ()
    again: bool = False
    node_died: bool = False


def conclude(
    spec: JobSpec,
    folder: Path,
    info: JobInfo,
    mirror: EventMirror,
    fetcher: Fetcher | None,
    voice: Voice,
    again: Callable[[Callable[[], Any]], Any],
    asked: Asked | None,
) -> Conclusion:
    """What became of a job that the cluster says has ended.

    Args:
        fetcher: Reads from its node; None where it never had one.
        again: Calls something until the cluster answers.
        asked: What the person asked of it.

    Raises:
        PlaceError: What it made is not what it said.
    """
    result = again(lambda: _result(fetcher)) if fetcher is not None else None
    last = mirror.last_state()
    if result is None or fetcher is None:
        return _without_result(info, last, mirror.held, asked)
    label = f"Fetching from {fetcher.place}"

    if last is not None and last.state == "done":
        artifact = next((each for each in reversed(mirror.held) if isinstance(each, Artifact)), None)
        if artifact is not None:
            publish.discard_all(folder / "out")
            again(
                lambda: fetch_output(
                    fetcher,
                    result,
                    artifact,
                    folder,
                    spec.output_name,
                    lambda done, total: voice.progress(done, total, label, heeds=("cancel",)),
                )
            )
    elif last is None or last.state != "cancelled":
        again(
            lambda: fetch_checkpoints(
                fetcher, result, folder, lambda done, total: voice.progress(done, total, label, heeds=())
            )
        )
    if last is None:
        # Its process was killed, or crashed: the runner reads that from the exit code, as it does here.
        return Conclusion(128 - result.exit_code if result.exit_code < 0 else result.exit_code)
    return Conclusion(_CODES.get(last.state, exits.FAILED), tuple(mirror.held))


def _result(fetcher: Fetcher) -> Result | None:
    try:
        return fetcher.result()
    except ConnectionLostError:
        raise
    except PlaceError:
        return None


def _without_result(info: JobInfo, last: State | None, held: list[Event], asked: Asked | None) -> Conclusion:
    """The agent left no word: the job never began, was stopped, or its node is gone."""
    if info.status == "STOPPED":
        if asked == "pause":
            return Conclusion(exits.PAUSED, (State(now(), "paused"),))
        if asked == "cancel":
            return Conclusion(exits.CANCELLED, (State(now(), "cancelled"),))
        return _ended("interrupted", "It was stopped in the cluster, and not from here.", info)
    if last is not None and last.state in ("failed", "cancelled", "paused"):
        return Conclusion(_CODES.get(last.state, exits.FAILED), tuple(held))
    if info.error == _QUEUE_TOO_LONG:
        return Conclusion(again=True)
    if info.error in _NOT_SET_UP:
        return _ended("failed", "The cluster could not make a place for the job to run in.", info)
    if info.exit_code is not None:
        return _ended("failed", "The job could not begin on its node.", info)
    return Conclusion(again=True, node_died=True)


def _ended(state: str, message: str, info: JobInfo) -> Conclusion:
    error = Error(
        now(),
        "place",
        message,
        "The end of the cluster's own log is below; the nodes need Python, Ray and the backends.",
        info.message,
    )
    word = State(now(), "failed" if state == "failed" else "interrupted", message)
    return Conclusion(exits.FAILED, (error, word))
