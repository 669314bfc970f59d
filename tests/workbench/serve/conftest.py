"""A real server on a free port, with the tiny model, for the tests of the server."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import openai
import pytest


@dataclass(frozen=True, slots=True)
class Server:
    """A running `tenfold serve`."""

    url: str
    token: str
    models: list[str]
    process: subprocess.Popen[str]

    def client(self, **more: object) -> openai.OpenAI:
        """The real client."""
        options = {"base_url": f"{self.url}/v1", "api_key": self.token, "max_retries": 0, "timeout": 60}
        return openai.OpenAI(**{**options, **more})

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


@contextlib.contextmanager
def serving(home: Path, *arguments: str) -> Iterator[Server]:
    """Start a server and stop it; it must end by itself."""
    command = [sys.executable, "-m", "workbench", "--home", str(home), "serve", *arguments]
    process = subprocess.Popen(
        [*command, "--port", "0", "--threads", "1", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TENFOLD_SERVE_TOKEN": ""},
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise AssertionError(process.communicate()[1])
    said = json.loads(line)
    try:
        yield Server(said["url"], said["token"], said["models"], process)
    finally:
        process.terminate()
        try:
            process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise


Serve = Callable[..., contextlib.AbstractContextManager[Server]]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, tiny_gguf: Path) -> Iterator[Server]:
    """One server for a module: three places, a context of 256."""
    home = tmp_path_factory.mktemp("home")
    with serving(home, str(tiny_gguf), "--context", "256", "--parallel", "3") as found:
        yield found


@pytest.fixture
def serve(tmp_path: Path) -> Serve:
    """Starts servers with arguments of their own."""
    return lambda *arguments: serving(tmp_path / "home", *arguments)
