"""What is kept of an import beside the job that it became: to know it again, and where it was made."""

from __future__ import annotations

from pathlib import Path

import msgspec

from workbench.home import Home
from workbench.jobs import folder as job_folder
from workbench.jobs.events import Machine

_NAME = "imported.json"
_MOST_BYTES = 1 << 16


class Imported(msgspec.Struct, frozen=True):
    """One import.

    Attributes:
        t: When, seconds since the epoch.
        fingerprint: Hash of what the job told there, its result's hash among it.
        machine: Where it was made; None where an earlier version made it, which did not say.
    """

    t: float
    fingerprint: str
    machine: Machine | None = None

    @property
    def words(self) -> str:
        """For example `made on node-7: 16 cores, NVIDIA H100`."""
        return f"made on {self.machine.words}" if self.machine and self.machine.words else "made elsewhere"


def keep(folder: Path, made: Imported) -> None:
    """Write it into a job's folder.

    Raises:
        OSError: There is no room.
    """
    (folder / _NAME).write_bytes(msgspec.json.encode(made))


def of(folder: Path) -> Imported | None:
    """How the job in a folder came here; None where it was made here."""
    try:
        with (folder / _NAME).open("rb") as file:
            return msgspec.json.decode(file.read(_MOST_BYTES), type=Imported)
    except (OSError, msgspec.MsgspecError):
        return None


def known(home: Home, fingerprint: str) -> str | None:
    """The id of the job that the same import made before."""
    for job_id in job_folder.all_ids(home.jobs):
        made = of(home.jobs / job_id)
        if made is not None and made.fingerprint == fingerprint:
            return job_id
    return None
