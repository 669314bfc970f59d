"""The real program from outside: a process with a window, real workers, a real model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from workbench.home import Home
from workbench.session import Session

_VISIT_ALL = """
import json, sys
from pathlib import Path
from ui.app import make_application
from ui.context import AppContext
from ui.page_list import PAGES
from ui.screenshots import wait
from ui.theme import Theme
from ui.window import MainWindow
from workbench.home import Home
from workbench.session import Session

app = make_application()
theme = Theme()
theme.apply(app)
with Session.open(Home(Path(sys.argv[1])), supervise=True) as session:
    window = MainWindow(AppContext(session, theme))
    window.show()
    window.start()
    for page in PAGES:
        window.open_page(page.name)
        wait(lambda: False, 400)
    broken = [name for name, page in window.pages.items() if type(page).__name__ == "_BrokenPage"]
    window.pulse.stop()
heavy = ("torch", "transformers", "mlx", "mlx_lm", "llama_cpp", "peft", "plugins", "ray")
print(json.dumps({"heavy": [name for name in heavy if name in sys.modules], "broken": broken}))
"""


def _environment() -> dict[str, str]:
    return {**os.environ, "QT_QPA_PLATFORM": "offscreen"}


def test_no_page_of_the_window_imports_a_backend_or_a_plugin(home: Home, sample_gguf: Path) -> None:
    with Session.open(home, supervise=False) as session:
        session.library.add(sample_gguf)

    ended = subprocess.run(
        [sys.executable, "-c", _VISIT_ALL, str(home.root)],
        env=_environment(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout.strip().splitlines()[-1]) == {"heavy": [], "broken": []}


@pytest.fixture
def start_window(home: Home) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-m", "ui", "--home", str(home.root)],
            env=_environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.real_model
def test_killed_window_loses_nothing_and_the_next_one_goes_on(
    home: Home, sample_gguf: Path, start_window: Callable[[], subprocess.Popen[bytes]]
) -> None:
    from workbench.jobs.build import make_spec

    with Session.open(home, supervise=False) as session:
        model = session.library.add(sample_gguf).record
        entry = session.catalogue.operation("gguf-quantize")
        facts, source = session.library.facts(model.id), session.library.to_spec_input(model.id)
        values = {"type": "Q6_K", "allow_requantize": True}
        job = session.board.submit(make_spec(entry, model, facts, values, input=source))
        window = start_window()
        _until(lambda: session.board.get(job.id).state == "running", window)
        _until(lambda: (job.folder / "events.jsonl").stat().st_size > 2000, window)

        window.kill()
        window.wait()
        again = start_window()
        _until(lambda: session.board.get(job.id).state not in ("queued", "running"), again)

        done = session.board.get(job.id)
        assert (done.state, done.attempts) == ("done", 1)
        assert session.library.get(done.result_model_id or "").quantization == "Q6_K"
        assert done.pid is None or not psutil.pid_exists(done.pid)


def _until(condition: Callable[[], bool], process: subprocess.Popen[bytes], limit_s: float = 90) -> None:
    tick, end = threading.Event(), time.monotonic() + limit_s
    while not condition():
        assert process.poll() is None, "the window ended"
        assert time.monotonic() < end, "the condition never came true"
        tick.wait(0.05)
