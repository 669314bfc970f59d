"""A real Ray cluster of two nodes on this machine, and a home whose jobs run there."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.fixtures.entries import PLUGINS, steps_entry
from workbench.catalogue_entry import OperationEntry
from workbench.cluster.place import Place
from workbench.home import Home
from workbench.jobs.board import JobBoard
from workbench.jobs.build import make_spec
from workbench.jobs.events import Event, EventTail
from workbench.jobs.records import JobRecord
from workbench.jobs.runner import JobUpdate, Runner, is_resting
from workbench.jobs.spec import JobSpec
from workbench.library.library import Library
from workbench.library.records import ModelRecord
from workbench.settings import Settings
from workbench.store.database import Store

_OBJECT_STORE_BYTES = 80 << 20


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class Lab:
    """A head with one CPU and a node with two: a job that asks for two CPUs runs on the node."""

    def __init__(self, folder: Path) -> None:
        from ray.cluster_utils import Cluster

        self.folder = folder
        self.port = free_port()
        self._cluster = Cluster(
            initialize_head=True,
            head_node_args={
                "num_cpus": 1,
                "object_store_memory": _OBJECT_STORE_BYTES,
                "include_dashboard": True,
                "dashboard_host": "127.0.0.1",
                "dashboard_port": self.port,
                "dashboard_agent_listen_port": free_port(),
                "temp_dir": str(folder),
            },
        )
        self.node: Any = None
        self.add_node()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def add_node(self) -> None:
        self.node = self._cluster.add_node(num_cpus=2, object_store_memory=_OBJECT_STORE_BYTES)

    def kill_node(self) -> None:
        """End the node and everything that runs on it at once, as a power cut does.

        Ray alone would end its raylet, and a job there might run on for a while.
        """
        raylet = psutil.Process(self.node.all_processes["raylet"][0].process.pid)
        for process in (*raylet.children(recursive=True), raylet):
            with contextlib.suppress(psutil.Error):
                process.kill()
        self._cluster.remove_node(self.node, allow_graceful=False)

    def processes_of(self, word: str) -> list[psutil.Process]:
        """The processes whose command line names something, a job's id for example."""
        found = []
        for process in psutil.process_iter(["cmdline"]):
            if any(word in each for each in process.info["cmdline"] or ()) and process.pid != os.getpid():
                found.append(process)
        return found

    def close(self) -> None:
        self._cluster.shutdown()
        left = self.processes_of(str(self.folder))
        _, alive = psutil.wait_procs(left, timeout=10)
        for process in alive:
            process.kill()
        assert not alive, f"left running: {[each.name() for each in alive]}"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    pytest.importorskip("ray", reason='no cluster without Ray: pip install "tenfold[ray]"')
    # The paths of its sockets may have no more than 107 signs.
    folder = Path(tempfile.mkdtemp(prefix="tf-", dir="/tmp"))
    patch = pytest.MonkeyPatch()
    patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    patch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    patch.delenv("RAY_ADDRESS", raising=False)
    made = Lab(folder)
    try:
        yield made
    finally:
        made.close()
        patch.undo()
        shutil.rmtree(folder, ignore_errors=True)


class Bench:
    """One home whose jobs may run in the lab; `runner` can be left and taken up, as an app that is closed."""

    def __init__(self, home: Home, store: Store) -> None:
        shutil.copy(PLUGINS / "steps.py", home.plugins)
        self.home = home
        self.store = store
        self.library = Library(store, home)
        self.settings = Settings(store)
        self.board = JobBoard(store, home)
        self.runner = self.new_runner()
        self.updates: list[JobUpdate] = []

    def new_runner(self) -> Runner:
        return Runner(self.store, self.home, self.library, self.settings)

    def add_place(self, address: str, **values: Any) -> Place:
        place = Place(name="lab", address=address, **values)
        preferences = self.settings.load()
        self.settings.save(preferences.model_copy(update={"places": (place,)}))
        return place

    def spec(
        self, entry: OperationEntry, model: ModelRecord, values: Mapping[str, Any], place: str = "lab"
    ) -> JobSpec:
        source, facts = self.library.to_spec_input(model.id), self.library.facts(model.id)
        made = make_spec(entry, model, facts, values, input=source, seed=7)
        return made.model_copy(update={"place": place})

    def steps(self, model: Path, **values: object) -> JobRecord:
        record = self.library.add(model).record
        return self.board.submit(self.spec(steps_entry(), record, values))

    def until(self, condition: Callable[[], bool], limit_s: float = 90) -> None:
        """Poll as a window does until something is true."""
        tick, end = threading.Event(), time.monotonic() + limit_s
        while True:
            self.updates += self.runner.poll()
            if condition():
                return
            assert time.monotonic() < end, "\n".join(
                f"{job}\n{(job.folder / 'log.txt').read_text()}" for job in self.board.list()
            )
            tick.wait(0.02)

    def finish(self, job: JobRecord) -> JobRecord:
        self.until(lambda: is_resting(self.board.get(job.id).state) and job.id not in self.runner.running)
        return self.board.get(job.id)

    def until_reason(self, job: JobRecord, words: str) -> None:
        self.until(lambda: words in self.board.get(job.id).reason)

    def until_progress(self, job: JobRecord, done: int) -> None:
        """Wait until the job itself, and not what is sent to it, has come so far."""
        self.until(
            lambda: any(
                update.job.id == job.id
                and update.job.progress_unit == "steps"
                and update.job.progress_done >= done
                for update in self.updates
            )
        )

    def events(self, job: JobRecord) -> list[Event]:
        return EventTail(job.folder / "events.jsonl").read(1 << 26)


@pytest.fixture
def bench(home: Home, store: Store) -> Iterator[Bench]:
    made = Bench(home, store)
    yield made
    for job in made.board.list(states=("queued", "running")):
        made.board.cancel(job.id)
    made.until(lambda: not made.runner.running)
    made.runner.close()
