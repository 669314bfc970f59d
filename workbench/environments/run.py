"""Runs a job in an environment of its own: `--requires X … -- job.py --job-dir FOLDER …`.

Stands between the runner and the worker, so that the environment is made in the job's own process: with its
progress in the job's events, its output in the job's log, and heeding the job's cancel and pause.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from workbench.environments.making import ensure
from workbench.errors import JobCancelled, JobPaused
from workbench.home import Home
from workbench.jobs.events import Log, Progress, State, now
from workbench.jobs.last_word import last_word
from workbench.jobs.processes import no_console
from workbench.jobs.sink import EventSink
from workbench.jobs.stop_requests import Requests

_FLAG = "--requires"
_END = "--"


def words(requirements: Sequence[str]) -> list[str]:
    """What stands between the interpreter and `job.py` on the command line of such a job."""
    named = [word for each in requirements for word in (_FLAG, each)]
    return ["-P", "-m", "workbench.environments.run", *named, _END]


def main(argv: Sequence[str]) -> int:
    """Make the environment where there is none, and become the worker in it."""
    end = argv.index(_END)
    requirements = argv[1:end:2]
    command = argv[end + 1 :]
    folder = Path(command[command.index("--job-dir") + 1])
    requests = Requests(folder)
    requests.listen()
    sink = EventSink(folder / "events.jsonl")
    try:
        sink.emit(State(now(), "running", pid=os.getpid()))
        report = _JobReport(sink, requests)
        python = ensure(Home.find(), requirements, report).python
        report.check()
    except BaseException as problem:  # noqa: BLE001 - whatever it was, the job has a last word
        word = last_word(problem, folder)
        sink.make_room()
        if word.error is not None:
            sink.emit(word.error)
        sink.emit(State(now(), word.state, reason=word.error.message if word.error else ""))
        sink.close()
        return word.code
    sink.close()
    return _become([str(python), *command])


class _JobReport:
    """Tells the events of the job, and raises what was asked of it."""

    def __init__(self, sink: EventSink, requests: Requests) -> None:
        self._sink = sink
        self._requests = requests

    def log(self, text: str) -> None:
        sys.stdout.write(f"{time.strftime('%H:%M:%S')} {text}\n")
        sys.stdout.flush()
        self._sink.emit(Log(now(), text))

    def progress(self, done: float, total: float, *, unit: str = "", label: str = "") -> None:
        self.check()
        self._sink.emit(Progress(now(), done, total, unit, label))

    def check(self) -> None:
        asked = self._requests.poll()
        if asked == "cancel":
            raise JobCancelled
        if asked == "pause":
            raise JobPaused


def _become(command: list[str]) -> int:
    """Go on as the worker, under the same process id where the system can do that."""
    sys.stdout.flush()
    if sys.platform == "win32":
        # There exec starts another process and ends this one, which the runner would take for the end.
        return subprocess.call(command, creationflags=no_console())
    return os.execv(command[0], command)  # noqa: S606 - the worker, in the environment just made


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
