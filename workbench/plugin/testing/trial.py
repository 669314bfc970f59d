"""Runs a job for a check: its real `job.py` in a worker, in surroundings that can be looked at afterwards."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from workbench.errors import PluginError
from workbench.home import Home
from workbench.jobs import folder as job_folder
from workbench.jobs import launch, processes
from workbench.jobs.events import Artifact, Error, Event, EventTail, State
from workbench.jobs.spec import JobSpec
from workbench.jobs.stop_requests import request_path
from workbench.plugin.testing import watching
from workbench.settings import Preferences

_TICK_S = 0.01
#: Variables by which programs find the person's own folder, and the one for passing files.
_PERSONAL = (
    "HOME",
    "USERPROFILE",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "APPDATA",
    "LOCALAPPDATA",
)
_PASSING = ("TMPDIR", "TEMP", "TMP")


@dataclass(frozen=True)
class Trial:
    """One run, over.

    Attributes:
        damaged: Lines of its events that can't be read.
        touched: What it opened for writing, made, moved or removed; empty where it was not watched.
        stopped_in_s: From when it could know of the cancel to the end of its process, without the time in
            which the system let others work; None where it was not asked.
        starved_s: That time.
    """

    folder: Path
    code: int
    events: tuple[Event, ...]
    damaged: int
    touched: tuple[Path, ...] = ()
    stopped_in_s: float | None = None
    starved_s: float = 0.0

    @property
    def state(self) -> str:
        return next((event.state for event in reversed(self.events) if isinstance(event, State)), "")

    @property
    def artifact(self) -> Artifact | None:
        return next((event for event in reversed(self.events) if isinstance(event, Artifact)), None)

    @property
    def problem(self) -> Error | None:
        return next((event for event in reversed(self.events) if isinstance(event, Error)), None)

    @property
    def trouble(self) -> str:
        """Why it is not done, in words."""
        if self.problem is not None:
            return f"{self.problem.message} {self.problem.remedy}".strip()
        last = job_folder.last_log_lines(self.folder, 3)
        return (
            f"its worker ended with code {self.code} and the state “{self.state}”. {' '.join(last)}".strip()
        )


@dataclass(frozen=True)
class Surroundings:
    """The folders of a check, all its own: a home of Tenfold, a person's home, one for passing files."""

    root: Path

    @property
    def home(self) -> Home:
        return Home(self.root / "home")

    @property
    def person(self) -> Path:
        return self.root / "person"

    @property
    def passing(self) -> Path:
        return self.root / "passing"

    def create(self) -> Surroundings:
        self.home.create()
        for each in (self.person, self.passing):
            each.mkdir(parents=True, exist_ok=True)
        return self

    def strays(self) -> list[Path]:
        """Files that lie where no job may leave any."""
        return [each for place in (self.person, self.passing) for each in place.rglob("*") if each.is_file()]


class Worker:
    """A worker at work.

    Args:
        watched: Whether Python tells which files it touches; not where it runs in an environment of its own.
    """

    def __init__(self, spec: JobSpec, around: Surroundings, *, watched: bool = False) -> None:
        self.folder = job_folder.create(around.home.jobs, job_folder.new_id(), spec)
        self._notes = around.root / f"touched-{self.folder.name}.jsonl"
        command = launch.command(spec, self.folder, resume=False, threads=1)
        if watched and not spec.requires:
            command[1:1] = watching.words(self._notes)
        variables = launch.environment(spec, around.home, Preferences(), None)
        variables["PYTHONDONTWRITEBYTECODE"] = "1"
        if not spec.requires:
            # Whoever makes environments keeps what it downloads in the person's own folder.
            variables |= dict.fromkeys(_PERSONAL, str(around.person))
        variables |= dict.fromkeys(_PASSING, str(around.passing))
        self._child = processes.start(command, self.folder, variables)
        self._created_at = processes.started_at(self._child.pid)
        self._tail = EventTail(self.folder / "events.jsonl")
        self._events: list[Event] = []
        self._starved_s = 0.0
        self._starved_before_s = 0.0

    def until(self, condition: Callable[[list[Event]], bool], limit_s: float) -> bool:
        """Wait until something was reported; false where the worker ended without it.

        Raises:
            PluginError: Neither happened in time; the worker was killed.
        """
        end = time.monotonic() + limit_s
        while True:
            self._starved_s = max(self._starved_s, _starved_s(self._child.pid))
            gone = self._child.poll() is not None
            self._events += self._tail.read()
            if condition(self._events):
                return True
            if gone:
                return False
            if time.monotonic() > end:
                processes.kill_tree(self._child.pid, self._created_at)
                self._child.wait()
                raise PluginError(f"The job was not at an end after {limit_s:.0f} seconds.")
            time.sleep(_TICK_S)

    def ask_to_cancel(self) -> None:
        """As the runner asks: a file, and a signal."""
        draft = self.folder / "request.new"
        draft.write_text("cancel", encoding="utf-8")
        os.replace(draft, request_path(self.folder))  # noqa: PTH105 - seen whole or not at all
        processes.ask_to_end(self._child.pid)
        self._starved_before_s = self._starved_s

    def finish(self, limit_s: float, since: float | None = None) -> Trial:
        """Wait for the end.

        Args:
            since: When it could know that it was asked to stop, by `time.monotonic`.

        Raises:
            PluginError: It did not come in time; the worker was killed.
        """
        self.until(lambda _events: False, limit_s)
        # What other programs took of the processor is none of the operation's doing.
        starved = self._starved_s - self._starved_before_s
        ended = time.monotonic() - starved
        processes.kill_leftovers(self._child.pid, self._created_at)
        return Trial(
            folder=self.folder,
            code=self._child.returncode,
            events=tuple(self._events),
            damaged=self._tail.damaged,
            touched=tuple(watching.touched(self._notes)),
            stopped_in_s=max(0.0, ended - since) if since is not None else None,
            starved_s=starved,
        )


def _starved_s(pid: int) -> float:
    """Seconds in which a process could have worked and was not let; 0 where the system does not say."""
    try:
        _worked, waited, _turns = Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return 0.0
    return int(waited) / 1e9


def run(spec: JobSpec, around: Surroundings, *, limit_s: float, watched: bool = False) -> Trial:
    """Run a job to its end.

    Raises:
        PluginError: It did not come in time.
    """
    return Worker(spec, around, watched=watched).finish(limit_s)
