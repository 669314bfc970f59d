"""Hashes the library's models one after another in a child process, without ever making the caller wait."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from workbench.errors import WorkbenchError
from workbench.home import Home
from workbench.library.hashing import FOLLOW
from workbench.library.library import Library
from workbench.library.records import ModelRecord

#: Seconds between two looks for models without a hash, while nothing is being hashed.
_IDLE_INTERVAL_S = 1.0


@dataclass(frozen=True, slots=True)
class HashProgress:
    """How far the hash of one model is.

    Attributes:
        model_id: The model.
        done_bytes: Bytes read.
        total_bytes: Bytes to read.
        sha256: The hash once it is known; it is in the library then.
        error: Why there is none; empty while all is well. The model is not tried again by itself.
        duplicates: Other models with the same content, found out by this hash.
    """

    model_id: str
    done_bytes: int
    total_bytes: int
    sha256: str | None = None
    error: str = ""
    duplicates: tuple[ModelRecord, ...] = ()


class HashQueue:
    """Call `poll()` from a timer: it starts the next child where none runs, and tells what is new.

    The child writes to a file that `poll()` reads on, since a pipe can't be read without waiting on
    Windows. It ends by itself when this process dies.
    """

    def __init__(self, library: Library) -> None:
        self._library = library
        self._child: _Child | None = None
        self._failed: set[str] = set()
        self._look_at = 0.0

    def poll(self) -> list[HashProgress]:
        """What is new since the last call; takes about a millisecond."""
        if self._child is None:
            return self._start_next()
        progress = self._child.read()
        if progress is None:
            return []
        if progress.sha256 is None and not progress.error:
            return [progress]
        return [self._finish(progress)]

    def retry(self, model_id: str) -> None:
        """Try a model again whose hash failed."""
        self._failed.discard(model_id)
        self._look_at = 0.0

    @property
    def busy_with(self) -> str | None:
        """The id of the model that is being hashed now."""
        return self._child.record.id if self._child else None

    def close(self) -> None:
        """End the child, where one runs; what it had read is read again next time."""
        if self._child is not None:
            self._child.stop()
            self._child = None

    def _start_next(self) -> list[HashProgress]:
        now = time.monotonic()
        if now < self._look_at:
            return []
        self._look_at = now + _IDLE_INTERVAL_S
        record = self._library.next_without_hash(skip=self._failed)
        if record is None:
            return []
        try:
            self._child = _Child(record, self._library.facts(record.id).files, self._library.home)
        except (OSError, WorkbenchError) as error:
            self._failed.add(record.id)
            return [HashProgress(record.id, 0, record.size_bytes, error=f"It can't be hashed: {error}")]
        return [HashProgress(record.id, 0, record.size_bytes)]

    def _finish(self, progress: HashProgress) -> HashProgress:
        if self._child is not None:
            self._child.stop()
            self._child = None
        self._look_at = 0.0
        if progress.sha256 is None:
            self._failed.add(progress.model_id)
            return progress
        try:
            duplicates = self._library.set_sha256(progress.model_id, progress.sha256)
        except WorkbenchError as error:
            # Removed meanwhile, or the disk is full: the hash is made again at the next start.
            self._failed.add(progress.model_id)
            return HashProgress(
                progress.model_id, progress.done_bytes, progress.total_bytes, error=error.message
            )
        return HashProgress(
            progress.model_id,
            progress.total_bytes,
            progress.total_bytes,
            progress.sha256,
            duplicates=duplicates,
        )


class _Child:
    """One process that hashes one model."""

    def __init__(self, record: ModelRecord, files: tuple[str, ...], home: Home) -> None:
        self.record = record
        home.cache.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix="hash-", suffix=".jsonl", dir=home.cache)
        self._report = Path(name)
        self._tail: IO[bytes] = self._report.open("rb")
        self._rest = b""
        self._done = 0
        try:
            self._process = subprocess.Popen(
                # -P: a json.py in the folder where the app was started must not be imported.
                [sys.executable, "-P", "-m", "workbench.library.hashing", FOLLOW, str(record.path)],
                stdin=subprocess.PIPE,
                stdout=handle,
                stderr=handle,
                creationflags=_low_priority(),
            )
        except OSError:
            self._forget()
            raise
        finally:
            os.close(handle)
        try:
            self._tell(json.dumps(files).encode() + b"\n")
        except OSError:
            self.stop()
            raise

    def _tell(self, line: bytes) -> None:
        """Write to the child, and keep the pipe open: the child ends when this end closes."""
        if self._process.stdin is not None:
            self._process.stdin.write(line)
            self._process.stdin.flush()

    def read(self) -> HashProgress | None:
        """The newest of what the child said; None where it said nothing new."""
        ended = self._process.poll() is not None
        lines = (self._rest + self._tail.read()).split(b"\n")
        self._rest = lines.pop()
        for line in reversed(lines):
            said = _parsed(line)
            if said is not None:
                return self._progress(said)
        if ended:
            last = (lines[-1] if lines else self._rest).decode("utf-8", "replace").strip()
            words = f"Hashing ended early (exit code {self._process.returncode})."
            return self._progress({"error": f"{words} {last}".strip()})
        return None

    def stop(self) -> None:
        """End the process at once; it holds nothing that could be lost."""
        self._process.kill()
        self._process.wait()
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        self._forget()

    def _progress(self, said: dict[str, Any]) -> HashProgress:
        self._done = int(said.get("done", self._done))
        total = int(said.get("total", self.record.size_bytes))
        return HashProgress(self.record.id, self._done, total, said.get("sha256"), str(said.get("error", "")))

    def _forget(self) -> None:
        self._tail.close()
        self._report.unlink(missing_ok=True)


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        said = json.loads(line)
    except ValueError:
        return None
    return said if isinstance(said, dict) else None


def _low_priority() -> int:
    if sys.platform == "win32":
        return subprocess.BELOW_NORMAL_PRIORITY_CLASS | subprocess.CREATE_NO_WINDOW
    return 0
