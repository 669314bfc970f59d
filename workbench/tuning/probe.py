"""Remembers what was measured of this machine, so that it is measured once."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from workbench.errors import MissingExtraError
from workbench.hardware import Machine
from workbench.tuning.choices import Backend

_FILE = "arithmetic.json"


class _Kept(Struct, frozen=True):
    """Measured on a machine: a home may be on a disk that several use."""

    machine: str
    figures: dict[str, float]


def machine_flops(
    cache: Path, machine: Machine, backend: Backend, measure: Callable[[Backend], float]
) -> float | None:
    """Operations per second in matrix products; None where the backend is not installed.

    Args:
        cache: The folder that remembers.
        measure: Called where nothing is remembered.
    """
    try:
        found = remembered(cache / _FILE, machine, (backend,), lambda: {backend: measure(backend)})
    except MissingExtraError:
        return None
    return found[backend]


def remembered(
    path: Path,
    machine: Machine,
    names: Sequence[str],
    measure: Callable[[], dict[str, float]],
    *,
    again: bool = False,
) -> dict[str, float]:
    """Figures of this machine by their names; the larger is the better.

    Args:
        path: The file that remembers.
        measure: Called where one of them is not remembered; returns them all.
        again: Call it in any case, and remember what is better than before: whatever else a machine did
            when it was measured only made its figures smaller.
    """
    kept = _read(path, machine)
    if again or not kept.figures.keys() >= set(names):
        for name, figure in measure().items():
            kept.figures[name] = max(figure, kept.figures.get(name, 0.0))
        _write(path, kept)
    return {name: kept.figures[name] for name in names}


def _read(path: Path, machine: Machine) -> _Kept:
    name = _name(machine)
    try:
        found = msgspec.json.decode(path.read_bytes(), type=_Kept)
    except (OSError, msgspec.MsgspecError):
        return _Kept(name, {})
    return found if found.machine == name else _Kept(name, {})


def _write(path: Path, kept: _Kept) -> None:
    partial = path.with_name(f".partial-{uuid.uuid4().hex}.json")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(msgspec.json.encode(kept))
        partial.replace(path)
    except OSError:
        # A figure that can't be kept is measured again.
        partial.unlink(missing_ok=True)


def _name(machine: Machine) -> str:
    return ", ".join([f"{machine.cpu_name} × {machine.cores}", *(gpu.name for gpu in machine.gpus)])
