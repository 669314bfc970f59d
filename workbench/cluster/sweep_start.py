"""Starts sweeps as processes of their own, as the command line runs them, and hears how they end."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

from workbench.cluster.sweep_file import Plan, Sweep, Turn, new_sweep
from workbench.errors import MissingExtraError, UsageError, WorkbenchError
from workbench.home import Home
from workbench.jobs.events import now
from workbench.jobs.processes import start

#: Of a log that is read to say why a sweep never began.
_LAST_BYTES = 2000


def missing_ray() -> MissingExtraError | None:
    """What must be installed before a sweep can run; None where it is there."""
    if importlib.util.find_spec("ray") is not None:
        return None
    return MissingExtraError("Ray, which leads the trials,", "ray")


class SweepStarter:
    """Each sweep outlives this process; while it is here, one that never began is noted as failed."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._children: dict[str, tuple[Sweep, subprocess.Popen[bytes]]] = {}

    def begin(self, plan: Plan) -> Sweep:
        """Start a sweep by its plan.

        Raises:
            MissingExtraError: Ray is not installed.
            WorkbenchError: No process can be started, or the disk is full.
        """
        missing = missing_ray()
        if missing is not None:
            raise missing
        sweep = new_sweep(self._home)
        try:
            sweep.write(plan)
        except OSError as error:
            raise WorkbenchError(f"The sweep can't be written down: {error.strerror or error}.") from error
        self.resume(sweep)
        return sweep

    def resume(self, sweep: Sweep) -> None:
        """Have a sweep go on from where it is; what it prints goes to `log.txt` in its folder.

        Raises:
            UsageError: It is at work.
            WorkbenchError: No process can be started, or the disk is full.
        """
        if sweep.is_at_work():
            raise UsageError(f"The sweep {sweep.id} is at work already.")
        words = [sys.executable, "-m", "workbench", "--home", str(self._home.root), "sweep"]
        try:
            sweep.write(Turn(t=now(), state="waiting"))
            child = start([*words, "--resume", sweep.id], sweep.folder, os.environ)
        except OSError as error:
            raise WorkbenchError(f"The sweep can't be started: {error.strerror or error}.") from error
        self._children[sweep.id] = (sweep, child)

    def poll(self) -> None:
        """Take note of sweeps whose process ended before it began with them."""
        for key, (sweep, child) in list(self._children.items()):
            code = child.poll()
            if code is None:
                continue
            del self._children[key]
            sweep.read()
            if sweep.state == "waiting":
                reason = _last_line(sweep) or f"Its process ended with {code}."
                sweep.write(Turn(t=now(), state="failed", reason=reason))


def ask_to_stop(sweep: Sweep) -> None:
    """Ask the process that runs a sweep to end: trials at work are cancelled, and all can go on later.

    Raises:
        WorkbenchError: The disk is full.
    """
    try:
        sweep.stop_file.touch()
    except OSError as error:
        raise WorkbenchError(f"The sweep can't be stopped: {error.strerror or error}.") from error


def _last_line(sweep: Sweep) -> str:
    try:
        said = (sweep.folder / "log.txt").read_bytes()[-_LAST_BYTES:].decode("utf-8", "replace")
    except OSError:
        return ""
    return (said.strip().splitlines() or [""])[-1]
