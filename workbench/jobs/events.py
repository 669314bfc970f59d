"""Events: what a job said, one JSON line each in `events.jsonl`, append-only."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Literal, get_args

import msgspec

JobState = Literal["queued", "running", "paused", "done", "failed", "cancelled", "interrupted"]

#: States that a job leaves only when a person (or the one automatic retry) asks.
RESTING: frozenset[JobState] = frozenset({"paused", "done", "failed", "cancelled", "interrupted"})
STATES: tuple[JobState, ...] = get_args(JobState)


class Spec(msgspec.Struct, frozen=True, tag="spec", tag_field="kind"):
    """The first line of every job: what it is, so that the database can be rebuilt from the folder."""

    t: float
    spec: dict[str, Any]


class State(msgspec.Struct, frozen=True, tag="state", tag_field="kind", omit_defaults=True):
    """The job entered a state."""

    t: float
    state: JobState
    reason: str = ""
    pid: int | None = None


class Progress(msgspec.Struct, frozen=True, tag="progress", tag_field="kind", omit_defaults=True):
    """Real progress: `done` of `total` in `unit`."""

    t: float
    done: float
    total: float
    unit: str = ""
    label: str = ""


class Metric(msgspec.Struct, frozen=True, tag="metric", tag_field="kind", omit_defaults=True):
    """One figure of a series."""

    t: float
    name: str
    value: float
    step: int | None = None
    unit: str = ""


class Sample(msgspec.Struct, frozen=True, tag="sample", tag_field="kind", omit_defaults=True):
    """What a model that is being trained answered to a prompt, so that a person watches it learn."""

    t: float
    step: int
    prompt: str
    text: str
    expected: str = ""


class Log(msgspec.Struct, frozen=True, tag="log", tag_field="kind", omit_defaults=True):
    """A line that a person may want to read."""

    t: float
    text: str
    level: Literal["info", "warning", "error"] = "info"


class Input(msgspec.Struct, frozen=True, tag="input", tag_field="kind", omit_defaults=True):
    """The files that one parameter stood for, by content; an empty text for a folder of too many files."""

    t: float
    name: str
    sha256s: tuple[str, ...]


class Artifact(msgspec.Struct, frozen=True, tag="artifact", tag_field="kind", omit_defaults=True):
    """Something whole that the job published: `path` is relative to the job folder, or absolute."""

    t: float
    role: Literal["model", "file"]
    path: str
    sha256: str
    size_bytes: int
    format: str = ""
    name: str = ""


class Error(msgspec.Struct, frozen=True, tag="error", tag_field="kind", omit_defaults=True):
    """What went wrong; `error` is the `kind` of the `WorkbenchError`, or `bug`."""

    t: float
    error: str
    message: str
    remedy: str = ""
    details: str = ""


class Machine(msgspec.Struct, frozen=True, tag="machine", tag_field="kind", omit_defaults=True):
    """Where a run of the job takes place, so that a result that travels says what made it."""

    t: float
    name: str
    cpu: str = ""
    cores: int = 0
    ram_bytes: int = 0
    gpus: tuple[str, ...] = ()
    os: str = ""

    @property
    def words(self) -> str:
        """What tells it from other machines: `node-7: 16 cores, 2 × NVIDIA H100`."""
        counted = {gpu: self.gpus.count(gpu) for gpu in self.gpus}
        gpus = [gpu if count == 1 else f"{count} × {gpu}" for gpu, count in counted.items()]
        cores = f"{self.cores} core{'' if self.cores == 1 else 's'}" if self.cores > 0 else ""
        return ": ".join(filter(None, (self.name, ", ".join(filter(None, (cores, *gpus))))))


Event = Spec | State | Progress | Metric | Sample | Log | Artifact | Error | Machine | Input

#: No event is longer: a reader never takes more of one line than this into memory.
_LONGEST_LINE_BYTES = 32 << 20

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Event)


def now() -> float:
    """Seconds since the epoch: the clock of every event."""
    return time.time()


class EventLog:
    """Appends events to a file; one whole line is one `write`, so that readers never see two halves mixed.

    A line that an earlier writer left half-written is closed first, so that only that line is lost.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._torn = False
        self._file: IO[bytes] = path.open("ab", buffering=0)
        size = path.stat().st_size
        if size:
            with path.open("rb") as existing:
                existing.seek(size - 1)
                torn = existing.read(1) != b"\n"
            if torn:
                self._file.write(b"\n")

    def append(self, event: Event) -> None:
        """Write one event; state changes, artifacts and errors reach the disk before this returns.

        Raises:
            OSError: The disk is full (`ENOSPC`) or gone. The next event begins on a line of its own.
        """
        line = (b"\n" if self._torn else b"") + _encoder.encode(event) + b"\n"
        self._torn = True
        if self._file.write(line) != len(line):
            # A nearly full disk takes a part of a line without complaint.
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
        self._torn = False
        if isinstance(event, Spec | State | Artifact | Error):
            os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()


class EventTail:
    """Reads the whole lines that were added since the last read.

    Attributes:
        offset: The byte up to which whole lines were read; keep it to go on later.
        damaged: How many lines could not be read (torn by a crash or a full disk, or of a newer kind).
    """

    def __init__(self, path: Path, offset: int = 0) -> None:
        self.path = path
        self.offset = offset
        self.damaged = 0

    def read(self, limit_bytes: int = 1 << 20) -> list[Event]:
        """The next events, at most about `limit_bytes` of them; empty where nothing is new."""
        try:
            with self.path.open("rb") as file:
                file.seek(self.offset)
                block = file.read(limit_bytes)
                if block and b"\n" not in block:
                    block += file.readline(_LONGEST_LINE_BYTES)
                    if not block.endswith(b"\n") and len(block) > _LONGEST_LINE_BYTES:
                        # Nothing that we write is so long; its rest is read as the next line.
                        self.offset += len(block)
                        self.damaged += 1
                        return []
        except FileNotFoundError:
            return []
        end = block.rfind(b"\n") + 1
        self.offset += end
        return list(self._decode(block[:end]))

    def _decode(self, block: bytes) -> Iterator[Event]:
        for line in block.split(b"\n"):
            if not line.strip():
                continue
            try:
                yield _decoder.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                self.damaged += 1
