"""Starts, finds and ends worker processes, each in a group of its own, on every platform."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

#: The variable by which every process that a job started is known, even one that left its group.
_MARK = "TENFOLD_JOB_FOLDER"
#: Linux ends the process with the highest score where memory runs out; 0 is that of an ordinary one.
_GIVEN_UP_FIRST = 500
#: Two readings of one process's start time may differ by a clock tick.
_SAME_START_S = 1.0


def start(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start a worker that outlives this process; what it prints goes to `log.txt` in its folder.

    Raises:
        OSError: The system can't start another process, or the log can't be written.
    """
    variables = {**environment, _MARK: str(folder)}
    with (folder / "log.txt").open("ab") as log:
        if sys.platform == "win32":
            flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
            return subprocess.Popen(
                command,
                cwd=folder,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                creationflags=flags,
            )
        return subprocess.Popen(
            command,
            cwd=folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def offer_to_end_first() -> None:
    """Let the system end this process and its children before the window, where memory runs out; on Linux."""
    score = Path("/proc/self/oom_score_adj")
    if sys.platform == "linux":
        with contextlib.suppress(OSError, ValueError):
            if int(score.read_text()) < _GIVEN_UP_FIRST:
                score.write_text(str(_GIVEN_UP_FIRST))


def no_console() -> int:
    """Creation flags for a short-lived child that must not open a console window."""
    if sys.platform == "win32":
        return subprocess.CREATE_NO_WINDOW
    return 0


def started_at(pid: int) -> float | None:
    """When a process was started, in seconds since the epoch; with its id this names it for good."""
    try:
        return psutil.Process(pid).create_time()
    except psutil.Error:
        return None


def is_alive(pid: int, created_at: float | None) -> bool:
    """Whether this very process still works: not another with its id, and not one that is dead unreaped."""
    try:
        process = psutil.Process(pid)
        if created_at is not None and abs(process.create_time() - created_at) > _SAME_START_S:
            return False
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def find_worker(folder: Path) -> int | None:
    """The process that runs the job in a folder, for a worker whose id nobody had time to write down."""
    wanted = str(folder)
    for process in psutil.process_iter(["pid", "cmdline"]):
        words = process.info["cmdline"] or []
        if wanted in words and "--job-dir" in words:
            return int(process.info["pid"])
    return None


def ask_to_end(pid: int) -> None:
    """Send the polite signal. On Windows the request file alone asks: the worker has no console to share."""
    if sys.platform != "win32":
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGTERM)


def kill_tree(pid: int, created_at: float | None) -> None:
    """End a worker and everything that it started, at once."""
    if is_alive(pid, created_at):
        try:
            family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
        except psutil.Error:
            family = []
        for process in family:
            with contextlib.suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(family, timeout=5)
    kill_leftovers(pid, created_at)


def kill_leftovers(pid: int, created_at: float | None) -> None:
    """End what a worker that is dead left behind.

    The id of a process group is not given anew while the group has members. So a group with a worker's id
    is the worker's own, unless the machine was started since or another process has the id by now.
    """
    if created_at is None or created_at < psutil.boot_time():
        return
    if sys.platform == "win32":
        for process in psutil.process_iter(["ppid", "create_time"]):
            if process.info["ppid"] == pid and process.info["create_time"] >= created_at:
                with contextlib.suppress(psutil.Error):
                    process.kill()
        return
    leader = started_at(pid)
    if leader is not None and abs(leader - created_at) > _SAME_START_S:
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def kill_strays(folder: Path) -> None:
    """End every process that the job in a folder started and that left its group, such as a daemon."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            # What the system does not let us look at belongs to somebody else.
            if process.pid != os.getpid() and process.environ().get(_MARK) == str(folder):
                process.kill()
