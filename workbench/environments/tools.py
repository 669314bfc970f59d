"""Finds the tool that installs packages on this machine, runs it, and says in plain words why it failed."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from workbench.environments.errors import OwnEnvironmentError
from workbench.jobs import processes

#: Between two looks at a tool at work, in seconds: within two seconds a cancel has to be heeded.
_LOOK_S = 0.1
_MOST_OUTPUT_BYTES = 1 << 20
_NO_NETWORK = (
    "dns error",
    "failed to lookup address",
    "name resolution",
    "network is unreachable",
    "connection refused",
    "newconnectionerror",
    "error sending request",
    "tcp connect error",
    "network connectivity is disabled",
    "network was disabled",
)
_NOT_THERE = ("no solution found", "no matching distribution", "could not find a version", "was not found")


def find_uv() -> Path | None:
    """The `uv` beside this Python, else the one on the PATH; None where there is none."""
    name = "uv.exe" if sys.platform == "win32" else "uv"
    beside = Path(sys.executable).with_name(name)
    if beside.is_file():
        return beside
    found = shutil.which("uv")
    return Path(found) if found else None


def has_pip() -> bool:
    """Whether this Python can run pip."""
    return importlib.util.find_spec("pip") is not None


def run(
    command: Sequence[str], folder: Path, *, line: Callable[[str], None], check: Callable[[], None]
) -> str:
    """Run a tool in a folder, hand over each line that it prints, and return all of them.

    Args:
        check: Called ten times a second; what it raises ends the tool with all that it started.

    Raises:
        OwnEnvironmentError: It can't be started, or it failed.
    """
    output = folder / f"{Path(command[0]).stem}-output.txt"
    with output.open("wb") as file:
        try:
            child = subprocess.Popen(
                command,
                cwd=folder,
                env=_variables(os.environ),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                creationflags=processes.no_console(),
            )
        except OSError as error:
            raise OwnEnvironmentError(f"{command[0]} can't be started: {error.strerror}.") from error
    try:
        with output.open("rb") as said:
            _follow(child, said, line, check)
    finally:
        if child.poll() is None:
            processes.kill_tree(child.pid, processes.started_at(child.pid))
            child.wait()
    text = _end_of(output)
    output.unlink(missing_ok=True)
    if child.returncode:
        raise _failure(text)
    return text


def _follow(
    child: subprocess.Popen[bytes],
    said: IO[bytes],
    line: Callable[[str], None],
    check: Callable[[], None],
) -> None:
    while True:
        ended = child.poll() is not None
        for each in _lines(said):
            line(each)
        if ended:
            return
        check()
        time.sleep(_LOOK_S)


def _lines(said: IO[bytes]) -> Iterator[str]:
    place = said.tell()
    block = said.read(_MOST_OUTPUT_BYTES)
    whole = block.rfind(b"\n") + 1
    said.seek(place + whole)
    for each in block[:whole].decode("utf-8", "replace").splitlines():
        if each.strip():
            yield each.strip()


def _end_of(output: Path) -> str:
    with output.open("rb") as file:
        file.seek(max(0, output.stat().st_size - _MOST_OUTPUT_BYTES))
        return file.read(_MOST_OUTPUT_BYTES).decode("utf-8", "replace")


def _variables(inherited: Mapping[str, str]) -> dict[str, str]:
    """Without what would lead the tool, or a Python that it starts, to another environment."""
    own = ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "UV_PROJECT_ENVIRONMENT", "CONDA_PREFIX", "HF_TOKEN")
    variables = {name: value for name, value in inherited.items() if name not in own}
    return variables | {"NO_COLOR": "1", "PYTHONIOENCODING": "utf-8", "UV_NO_PROGRESS": "1"}


def _failure(text: str) -> OwnEnvironmentError:
    lowered = text.casefold()
    if any(sign in lowered for sign in _NO_NETWORK):
        message = "The packages could not be fetched: there is no connection to where they come from."
        remedy = "Connect this machine to the network, then run it again."
    elif any(sign in lowered for sign in _NOT_THERE):
        message = "What is required can't be had together, or does not exist."
        remedy = "Name others; the details say what does not exist, or what stands against what."
    else:
        last = [each.strip() for each in text.splitlines() if each.strip()][-1:]
        message = f"The packages could not be installed: {last[0][:300] if last else 'no reason was given'}"
        remedy = "The details hold all that the installer said."
    return OwnEnvironmentError(message, remedy=remedy, details=text.strip())
