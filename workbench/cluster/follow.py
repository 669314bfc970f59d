"""Hands a job over to a cluster and follows it to its end, whatever happens to the line between."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from workbench.cluster import errand
from workbench.cluster.client import JobInfo, RayJobs
from workbench.cluster.conclude import Conclusion, conclude
from workbench.cluster.errors import ConnectionLostError, PlaceError
from workbench.cluster.handover import hand_over
from workbench.cluster.leftovers import stop_leftovers
from workbench.cluster.mirror import EventMirror, FileFollower
from workbench.cluster.request import ARRIVAL, Arrival, folder_name
from workbench.cluster.results import Fetcher, forget_checkpoints
from workbench.cluster.submission import Submission, read_submission, write_submission
from workbench.cluster.voice import Voice
from workbench.errors import JobCancelled, JobPaused, WorkbenchError
from workbench.jobs import exits
from workbench.jobs.events import Error, State, now
from workbench.jobs.spec import JobSpec
from workbench.jobs.stop_requests import Requests

#: Between two looks at what came in, and between two questions to the cluster, in seconds.
_TICK_S, _ASK_S = 0.1, 1.0
#: Between two tries to reach a cluster, in seconds.
_AGAIN_S = 1.0
#: How long a cluster that can't be reached is tried after a cancel. The runner waits 20 seconds.
_CANCEL_LOST_S = 10.0
#: Between two times that a cluster is asked to stop a job.
_STOP_AGAIN_S = 5.0

_T = TypeVar("_T")


class RemoteJob:
    """One job, from here.

    Args:
        resume: Whether to go on from the checkpoints here, where it is handed over anew.
    """

    def __init__(
        self, folder: Path, spec: JobSpec, client: RayJobs, requests: Requests, *, resume: bool
    ) -> None:
        self._folder = folder
        self._spec = spec
        self._client = client
        self._name = client.place.name
        self._requests = requests
        self._resume = resume
        self._voice = Voice(folder, requests)
        self._submission: Submission | None = None
        self._arrival: Arrival | None = None
        self._lost_since: float | None = None
        self._stop_asked_at = 0.0
        self._pause_asked = False

    def run(self) -> int:
        """Bring the job to its end. Returns the exit code that its script would have had."""
        try:
            self._voice.stand(f"Looking for {self._name}.")
            self._try(lambda: stop_leftovers(self._folder.parent, self._client))
            while True:
                submission = self._handed_over()
                ended = self._follow(submission)
                if ended is not None:
                    return ended
        except JobCancelled:
            return self._end_early("cancelled", exits.CANCELLED)
        except JobPaused:
            return self._end_early("paused", exits.PAUSED)
        except (WorkbenchError, OSError) as error:
            return self._fail(error)

    # ------------------------------------------------------------------ handing over

    def _handed_over(self) -> Submission:
        """The submission to follow: the one that is under way, or a new one."""
        kept = read_submission(self._folder)
        if kept is None or kept.ended or kept.place != self._name:
            kept = self._new_attempt(kept.attempt + 1 if kept is not None else 1)
        self._submission = submission = kept
        if not submission.handed_over:
            hand_over(
                self._client,
                self._spec,
                self._folder,
                submission,
                self._voice,
                self._try,
                resume=self._resume,
            )
        return self._note(handed_over=True)

    def _new_attempt(self, number: int, lost: int = 0, previous: str = "") -> Submission:
        name = f"tenfold-{self._folder.name}-{number}"
        made = Submission(self._name, name, number, lost=lost, previous=previous)
        write_submission(self._folder, made)
        return made

    def _note(self, **changes: object) -> Submission:
        """Keep what is new of the submission, in the job's folder too."""
        if self._submission is None:
            raise RuntimeError("nothing was handed over")
        changed = msgspec.structs.replace(self._submission, **changes)
        if changed != self._submission:
            self._submission = changed
            write_submission(self._folder, changed)
        return changed

    # ------------------------------------------------------------------ following

    def _follow(self, submission: Submission) -> int | None:
        """Mirror the job until it has ended. Returns the exit code; None to hand it over anew."""
        mirror = EventMirror(self._voice.log, submission.events_read)
        followers: list[FileFollower] = []
        asked_at = 0.0
        info: JobInfo | None = None
        try:
            while True:
                if time.monotonic() - asked_at >= (_TICK_S if mirror.held else _ASK_S):
                    info = self._try(lambda: self._client.job(submission.id))
                    asked_at = time.monotonic()
                    if info is None:
                        return self._forgotten()
                    self._say_state(info)
                    if info.node and not followers and not info.ended:
                        followers = self._start_followers(submission, info.node)
                    if followers:
                        self._arrived(info)
                if followers:
                    self._pump(mirror, *followers)
                if info is None or info.ended:
                    break
                self._pass_on_requests(info)
                time.sleep(_TICK_S)
        finally:
            for each in followers:
                each.close()
        return self._conclude(info, mirror) if info is not None else self._forgotten()

    def _start_followers(self, submission: Submission, node: str) -> list[FileFollower]:
        name = folder_name(submission.id)
        return [
            FileFollower(self._client, node, f"{name}/events.jsonl", submission.events_read),
            FileFollower(self._client, node, f"{name}/log.txt", submission.log_read),
        ]

    def _pump(self, mirror: EventMirror, events: FileFollower, log: FileFollower) -> None:
        """Write on what came in, and note after that how far it is: so no event is lost."""
        block = events.take()
        if block:
            mirror.take(block)
            self._note(events_read=mirror.offset)
        text = log.take()
        if text and self._submission is not None:
            self._add_to_log(text)

    def _add_to_log(self, text: bytes) -> None:
        with (self._folder / "log.txt").open("ab") as file:
            file.write(text)
        if self._submission is not None:
            self._note(log_read=self._submission.log_read + len(text))

    def _say_state(self, info: JobInfo) -> None:
        if info.status == "PENDING":
            self._voice.stand(f"Queued on {self._name}.")
        elif info.status == "RUNNING":
            self._voice.stand(f"Running on {self._name}.")

    def _pass_on_requests(self, info: JobInfo) -> None:
        asked = self._requests.poll()
        submission = self._submission
        if asked is None or submission is None:
            return
        if asked == "cancel" or info.status == "PENDING":
            if time.monotonic() - self._stop_asked_at > _STOP_AGAIN_S:
                self._try(lambda: self._client.stop(submission.id))
                self._stop_asked_at = time.monotonic()
        elif not self._pause_asked and info.node is not None:
            node, arrival = info.node, self._arrived(info)
            if arrival is not None:
                self._try(lambda: errand.ask_to_pause(self._client, submission.id, node, arrival.folder))
                self._pause_asked = True

    def _arrived(self, info: JobInfo) -> Arrival | None:
        """Where the job is on its node; None while it is not there yet."""
        submission, node = self._submission, info.node
        if self._arrival is None and submission is not None and node is not None:
            name = f"{folder_name(submission.id)}/{ARRIVAL}"
            with contextlib.suppress(PlaceError, msgspec.MsgspecError):
                self._arrival = msgspec.json.decode(self._client.read_file(node, name), type=Arrival)
                self._note(folder=self._arrival.folder)
        return self._arrival

    # ------------------------------------------------------------------ the end

    def _conclude(self, info: JobInfo, mirror: EventMirror) -> int | None:
        submission = self._submission
        if submission is None:
            return exits.FAILED
        arrival = self._arrived(info)
        submission = self._submission or submission
        fetcher = Fetcher(self._client, submission, info.node) if info.node else None
        if fetcher is not None:
            rest, text = self._try(
                lambda: (
                    fetcher.rest_of("events.jsonl", mirror.offset),
                    fetcher.rest_of("log.txt", submission.log_read),
                )
            )
            mirror.finish(rest)
            self._add_to_log(text)
            self._note(events_read=mirror.offset)
        found = conclude(
            self._spec, self._folder, info, mirror, fetcher, self._voice, self._try, self._requests.asked
        )
        return self._act_on(found, info, arrival)

    def _act_on(self, found: Conclusion, info: JobInfo, arrival: Arrival | None) -> int | None:
        if found.again:
            if found.node_died:
                return self._begin_anew(info)
            self._queue_again()
            return None
        if found.code == exits.CANCELLED:
            forget_checkpoints(self._folder)
        self._voice.end(found.events)
        submission = self._note(ended=True)
        node = info.node
        if node is not None and arrival is not None:
            shared = self._client.place.local_path(arrival.folder)
            if shared is not None:
                shutil.rmtree(shared, ignore_errors=True)
            # What is left there is no reason to doubt what is here.
            with contextlib.suppress(PlaceError):
                errand.clear(self._client, submission.id, node, arrival)
        return found.code

    def _queue_again(self) -> None:
        """It waited for longer than the cluster lets a job wait: it goes to the end of the queue there."""
        before = self._note()
        self._arrival = None
        self._new_attempt(before.attempt + 1, before.lost, before.previous)

    def _begin_anew(self, info: JobInfo) -> int | None:
        """Its node died: once more, from the newest checkpoints that are seen from here or there."""
        before = self._note()
        if before.lost:
            return self._give_up(info)
        self._voice.warn(f"The node of {self._name} that ran the job is gone. Trying once more.")
        self._arrival = None
        self._resume = self._spec.resumable and any((self._folder / "checkpoints").glob("*"))
        self._new_attempt(before.attempt + 1, before.lost + 1, before.folder)
        return None

    def _forgotten(self) -> int:
        """The cluster knows nothing of the job: it was started anew, and with it went everything on it."""
        return self._interrupted(
            f"{self._name} knows nothing of the job any more: the cluster was started anew.",
            "Resume it, or run it again.",
        )

    def _give_up(self, info: JobInfo) -> int:
        return self._interrupted(
            f"The node of {self._name} that ran the job died, and a second one as well.",
            "Look at the cluster, then resume the job or run it again.",
            info.message,
        )

    def _interrupted(self, message: str, remedy: str, details: str = "") -> int:
        self._voice.end(
            [Error(now(), "place", message, remedy, details), State(now(), "interrupted", message)]
        )
        self._note(ended=True)
        return exits.FAILED

    def _end_early(self, state: str, code: int) -> int:
        """Asked to stop before the job was handed over, or while nothing could be asked of the cluster."""
        reason = ""
        if state == "cancelled":
            forget_checkpoints(self._folder)
        if self._lost_since is not None and self._submission is not None:
            reason = (
                f"{self._name} could not be reached: the job there is stopped as soon as it can be asked to."
            )
        elif self._submission is not None:
            self._note(ended=True)
        self._voice.end([State(now(), "cancelled" if state == "cancelled" else "paused", reason)])
        return code

    def _fail(self, error: WorkbenchError | OSError) -> int:
        known = (
            error if isinstance(error, WorkbenchError) else WorkbenchError(f"{error}", details=repr(error))
        )
        self._voice.end(
            [
                Error(now(), known.kind, known.message, known.remedy, known.details),
                State(now(), "failed", known.message),
            ]
        )
        if self._submission is not None:
            with contextlib.suppress(PlaceError):
                self._client.stop(self._submission.id)
                self._note(ended=True)
        return exits.FAILED

    # ------------------------------------------------------------------ the line

    def _try(self, call: Callable[[], _T]) -> _T:
        """Ask the cluster until there is an answer; a cut line is said, waited for, and said to be back.

        Raises:
            JobCancelled: The person cancelled, and the cluster could not be told for a while.
        """
        while True:
            try:
                answer = call()
            except ConnectionLostError as error:
                self._wait_for_line(error)
                continue
            if self._lost_since is not None:
                self._lost_since = None
                self._voice.tell(f"{self._name} can be reached again.")
                self._voice.stand(f"Connected with {self._name} again.")
            return answer

    def _wait_for_line(self, error: ConnectionLostError) -> None:
        moment = time.monotonic()
        if self._lost_since is None:
            self._lost_since = moment
            self._voice.warn(f"{error.message} Trying again.")
        self._voice.stand(f"Connection to {self._name} lost, trying again.")
        if self._requests.poll() == "cancel":
            self._stop_asked_at = self._stop_asked_at or moment
            if moment - max(self._stop_asked_at, self._lost_since) > _CANCEL_LOST_S:
                raise JobCancelled
        time.sleep(_AGAIN_S)
