"""Kill workers, and the program that supervises them, at random moments; count what that broke.

`python -m tests.e2e.kill_jobs [--kills 200] [--seed 1]` prints the counts and ends with 1 where anything
was lost: an orphan process, a half-published model, a job without a true state.
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import psutil

from tests.fixtures.entries import PLUGINS, steps_entry
from workbench.home import Home
from workbench.jobs.build import make_spec
from workbench.jobs.folder import last_log_lines
from workbench.jobs.records import JobRecord
from workbench.jobs.runner import is_resting
from workbench.library.hashing import content_hash
from workbench.library.inspect import inspect
from workbench.session import Session

#: A worker takes about half a second to begin, and these steps about as long again.
STEPS = {"steps": "25", "pause_ms": "15"}
LONGEST_S = 1.4


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="of each kind")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--model", type=Path, help="a small GGUF file; the sample model where not given")
    parser.add_argument("--supervise", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    if arguments.supervise:
        return supervise(Home(arguments.supervise))
    faults: list[str] = []
    with tempfile.TemporaryDirectory(prefix="tenfold-kills-") as folder:
        trial = Trial(Home(Path(folder) / "home"), arguments.model, random.Random(arguments.seed))
        for name, kill in (("worker", trial.kill_worker), ("app", trial.kill_app)):
            outcomes: Counter[str] = Counter()
            for _ in range(arguments.kills):
                outcomes[kill()] += 1
                faults += trial.check()
            print(
                f"{arguments.kills} kills of the {name}: {dict(outcomes)}, {len(faults)} faults so far",
                flush=True,
            )
    for fault in faults:
        print(f"FAULT {fault}")
    return 1 if faults else 0


def supervise(home: Home) -> int:
    """What the window does all day, without the window."""
    tick = threading.Event()
    with Session.open(home, supervise=True) as session:
        while session.runner is not None:
            session.runner.poll()
            tick.wait(0.02)
    return 0


class Trial:
    """One home in which things are killed."""

    def __init__(self, home: Home, model: Path | None, chance: random.Random) -> None:
        self.home = home.create()
        self.chance = chance
        self.tick = threading.Event()
        shutil.copy(PLUGINS / "steps.py", home.plugins)
        with Session.open(home, supervise=False) as session:
            self.model = (session.library.add(model) if model else session.library.add_sample()).record
        self.entry = steps_entry()

    def kill_worker(self) -> str:
        """Kill a worker, again where it is tried once more; let the job end, and resume it."""
        with Session.open(self.home, supervise=True) as session:
            job = self.submit(session)
            for attempt in (1, 2):
                self.poll(session, lambda: self.has_begun(session, job, attempt))  # noqa: B023 - called at once
                self.tick.wait(self.chance.uniform(0, LONGEST_S))
                self.kill(session.board.get(job.id).pid)
            self.rest(session, job)
            found = session.board.get(job.id).state
            if found == "interrupted":
                session.board.resume(job.id)
                self.rest(session, job)
                found += f", resumed, {session.board.get(job.id).state}"
            return found

    def kill_app(self) -> str:
        """Kill the supervising process, start it anew, and see the job to its end."""
        with Session.open(self.home, supervise=False) as session:
            job = self.submit(session)
        app = self.start_app()
        self.tick.wait(self.chance.uniform(0, 2 * LONGEST_S))
        app.kill()
        app.wait()
        with Session.open(self.home, supervise=True) as session:
            self.rest(session, job)
            return session.board.get(job.id).state

    def check(self) -> list[str]:
        """What is not as it must be, now that nothing is at work."""
        faults = [f"orphan process: {words}" for words in self.orphans()]
        with Session.open(self.home, supervise=False) as session:
            for job in session.board.list(limit=3):
                faults += self.faults_of(job)
                if job.result_model_id is not None:
                    model = session.library.get(job.result_model_id)
                    if content_hash(model.path, inspect(model.path).files) != model.sha256:
                        faults.append(f"{model.path} is not what the library says")
        return faults

    def faults_of(self, job: JobRecord) -> list[str]:
        whole = [each for each in (job.folder / "out").iterdir() if not each.name.startswith(".")]
        faults = []
        if not is_resting(job.state):
            faults.append(f"{job.id} is still {job.state}")
        if job.state == "done" and (len(whole) != 1 or job.result_model_id is None):
            faults.append(f"{job.id} is done, with {whole} and the model {job.result_model_id}")
        if job.state != "done" and (whole or job.result_model_id):
            faults.append(f"{job.id} is {job.state} and published {whole}")
        if job.state == "interrupted" and not (job.error_message and job.error_details == self.log_of(job)):
            faults.append(f"{job.id} was interrupted without its last words")
        if list((job.folder / "out").glob(".partial-*")):
            faults.append(f"{job.id} left what it was building")
        return faults

    def log_of(self, job: JobRecord) -> str:
        return "\n".join(last_log_lines(job.folder))

    def orphans(self) -> list[str]:
        """Processes that work in the home though nothing is at work there."""
        found = {}
        for process in psutil.process_iter(["pid", "cmdline", "status"]):
            words = " ".join(process.info["cmdline"] or [])
            if str(self.home.root) in words and process.info["status"] != psutil.STATUS_ZOMBIE:
                found[process] = words
        # A worker that has said its last word may still be leaving, slowly on a busy machine.
        _gone, alive = psutil.wait_procs(list(found), timeout=10)
        return [found[process] for process in alive]

    def has_begun(self, session: Session, job: JobRecord, attempt: int) -> bool:
        """Whether a job's worker was started so often, or the job rests before that."""
        now = session.board.get(job.id)
        return is_resting(now.state) or (now.state == "running" and now.attempts >= attempt)

    def submit(self, session: Session) -> JobRecord:
        library = session.library
        facts = library.facts(self.model.id)
        source = library.to_spec_input(self.model.id)
        return session.board.submit(make_spec(self.entry, self.model, facts, STEPS, input=source))

    def start_app(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.e2e.kill_jobs", "--supervise", str(self.home.root)]
        )

    def kill(self, pid: int | None) -> None:
        if pid is not None:
            try:
                psutil.Process(pid).kill()
            except psutil.Error:
                return  # it was done already

    def rest(self, session: Session, job: JobRecord) -> None:
        def rested() -> bool:
            at_work = session.runner is not None and job.id in session.runner.running
            return is_resting(session.board.get(job.id).state) and not at_work

        self.poll(session, rested)

    def poll(self, session: Session, condition: object) -> None:
        end = time.monotonic() + 60
        while not condition():  # type: ignore[operator]
            if time.monotonic() > end:
                raise TimeoutError(f"waited a minute; jobs: {session.board.list(limit=2)}")
            if session.runner is not None:
                session.runner.poll()
            self.tick.wait(0.01)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
