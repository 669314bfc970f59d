"""A home with the `steps` plugin, and what it takes to run its jobs for real."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fixtures.entries import PLUGINS, steps_entry
from workbench.home import Home
from workbench.jobs.board import JobBoard
from workbench.jobs.build import make_spec
from workbench.jobs.records import JobRecord
from workbench.jobs.runner import JobUpdate, Runner, is_resting
from workbench.jobs.spec import JobSpec
from workbench.library.library import Library
from workbench.settings import Settings
from workbench.store.database import Store


class Bench:
    """One home with one tiny model; `runner` can be left and taken up again, as an app that is killed."""

    def __init__(self, home: Home, store: Store, model: Path) -> None:
        shutil.copy(PLUGINS / "steps.py", home.plugins)
        self.home = home
        self.store = store
        self.library = Library(store, home)
        self.settings = Settings(store)
        self.board = JobBoard(store, home)
        self.model = self.library.add(model).record
        self.entry = steps_entry()
        self.runner = self.new_runner()
        self.updates: list[JobUpdate] = []

    def new_runner(self) -> Runner:
        return Runner(self.store, self.home, self.library, self.settings)

    def spec(self, **values: object) -> JobSpec:
        library, model = self.library, self.model
        source = library.to_spec_input(model.id)
        return make_spec(self.entry, model, library.facts(model.id), values, input=source)

    def submit(self, **values: object) -> JobRecord:
        return self.board.submit(self.spec(**values))

    def until(self, condition: Callable[[], bool], limit_s: float = 60) -> None:
        """Poll as a window does until something is true."""
        tick, end = threading.Event(), time.monotonic() + limit_s
        while True:
            self.updates += self.runner.poll()
            if condition():
                return
            assert time.monotonic() < end, self.board.list()
            tick.wait(0.02)

    def finish(self, job: JobRecord) -> JobRecord:
        self.until(lambda: is_resting(self.board.get(job.id).state) and job.id not in self.runner.running)
        return self.board.get(job.id)

    def until_step(self, job: JobRecord, step: int) -> None:
        kept = job.folder / "checkpoints" / "step"
        self.until(lambda: kept.exists() and kept.read_text() != "" and int(kept.read_text()) >= step)


@pytest.fixture
def bench(home: Home, store: Store, tiny_gguf: Path) -> Iterator[Bench]:
    made = Bench(home, store, tiny_gguf)
    yield made
    for job in made.board.list(states=("queued", "running")):
        made.board.cancel(job.id)
    made.until(lambda: not made.runner.running)
    made.runner.close()
