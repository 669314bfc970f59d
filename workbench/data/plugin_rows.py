"""Reads rows with a plugin's reader, held at arm's length: in a process of its own, and bounded."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import psutil

from workbench.data.errors import DataError
from workbench.data.plugin_reader import FILE_PREFIX, PluginReader, check

#: So long may a reader give nothing: a slow one opens a large archive in less.
PATIENCE_S = 60.0
#: A row's line is longer than the row, as text is escaped.
_LONGEST_LINE_BYTES = 100_000_000
#: Rows that are held while nobody takes them: so many lines, or so many bytes.
_LINES_AHEAD, _BYTES_AHEAD = 256, 20_000_000
#: Rows may be larger than their file, which may be packed; more than this is no end of rows.
_MOST_TIMES, _LEAST_LIMIT_BYTES = 1000, 1 << 30
#: What a plugin may print, and how much of that is shown.
_MOST_SAID_BYTES, _SHOWN_BYTES = 16 << 20, 4000
_TICK_S = 0.1
_END_WAIT_S = 2.0


def plugin_rows(reader: PluginReader, path: Path) -> Iterator[tuple[int, Any, str, int]]:
    """The rows that a reader gives: number from 1, values or None, the problem of a bad row, bytes of text.

    The process ends with the iterator, wherever that is left.

    Raises:
        DataError: The reader can't be started, raises, hangs, ends its process, or gives rows without end.
    """
    with _Reading(reader, path) as reading:
        yield from reading.rows()


class _Reading:
    """One process that reads one file."""

    def __init__(self, reader: PluginReader, path: Path) -> None:
        self._reader = reader
        self._path = path
        self._number = 0
        self._lines: queue.Queue[bytes | None] = queue.Queue()
        self._room = _Room()
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        try:
            self._process = subprocess.Popen(
                [
                    reader.python or sys.executable,
                    "-P",
                    "-m",
                    "workbench.plugin.reading_process",
                    reader.plugin,
                    reader.name,
                    str(path),
                    *reader.folders,
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._said,
                env=_variables(reader),
                creationflags=_no_console(),
            )
        except OSError as error:
            self._said.close()
            raise DataError(f"{self._who} can't be started: {error.strerror or error}.") from error
        out: IO[bytes] | None = self._process.stdout
        assert out is not None  # noqa: S101 - asked for above
        self._thread = threading.Thread(
            target=_take, args=(out, self._lines, self._room), name="reader", daemon=True
        )
        self._thread.start()

    def __enter__(self) -> _Reading:
        return self

    def __exit__(self, *_problem: object) -> None:
        self._room.close()
        _kill(self._process)
        self._thread.join(_END_WAIT_S)
        # A process that left the family may hold the pipe open still, and then the thread waits there.
        streams = [self._process.stdin, None if self._thread.is_alive() else self._process.stdout]
        for stream in streams:
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        self._said.close()

    def rows(self) -> Iterator[tuple[int, Any, str, int]]:
        limit = max(_LEAST_LIMIT_BYTES, _MOST_TIMES * self._path.stat().st_size)
        given = 0
        while (line := self._next_line()) is not None:
            message = self._message(line)
            if "end" in message:
                return
            if "failed" in message:
                raise self._failed(str(message["failed"]), str(message.get("details", "")))
            self._number += 1
            given += len(line)
            if given > limit:
                raise self._failed(f"it gives rows without end: more than {limit / 1e9:.1f} GB of them")
            yield self._number, message.get("row"), str(message.get("problem", "")), len(line)
        raise self._failed(f"its process ended (exit code {self._process.wait()})", self._printed())

    def _next_line(self) -> bytes | None:
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                line = self._lines.get(timeout=_TICK_S)
            except queue.Empty:
                check()
                if os.fstat(self._said.fileno()).st_size > _MOST_SAID_BYTES:
                    raise self._failed("it prints without end", self._printed()) from None
                if time.monotonic() > until:
                    waited = f"it gave no row for {PATIENCE_S:.0f} seconds"
                    raise self._failed(waited, self._printed()) from None
                continue
            if line is not None:
                self._room.free(len(line))
            return line

    def _message(self, line: bytes) -> dict[str, Any]:
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise self._failed("what it gave can't be understood", self._printed())
        return found

    @property
    def _who(self) -> str:
        plugin = self._reader.plugin.removeprefix(FILE_PREFIX)
        return f"The reader {self._reader.name} of the plugin {plugin}"

    def _failed(self, reason: str, details: str = "") -> DataError:
        place = f"after row {self._number}" if self._number else "before the first row"
        return DataError(
            f"{self._who} failed on {self._path.name} {place}: {reason.rstrip('.')}.",
            remedy="Mend the plugin or the file, or use another file.",
            details=details,
        )

    def _printed(self) -> str:
        self._said.seek(0, os.SEEK_END)
        self._said.seek(max(0, self._said.tell() - _SHOWN_BYTES))
        return self._said.read(_SHOWN_BYTES).decode("utf-8", "replace")


class _Room:
    """How many bytes may still be held; a thread that reads ahead waits where there is none."""

    def __init__(self) -> None:
        self._held = self._lines = 0
        self._closed = False
        self._changed = threading.Condition()

    def take(self, size: int) -> bool:
        """Wait for room; false where nobody wants more."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._closed or (self._held < _BYTES_AHEAD and self._lines < _LINES_AHEAD)
            )
            self._held += size
            self._lines += 1
            return not self._closed

    def free(self, size: int) -> None:
        with self._changed:
            self._held -= size
            self._lines -= 1
            self._changed.notify()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify()


def _take(out: IO[bytes], lines: queue.Queue[bytes | None], room: _Room) -> None:
    """Hand lines over as they come: a pipe can't be waited for with a limit on every system."""
    with contextlib.suppress(OSError, ValueError):
        while line := out.readline(_LONGEST_LINE_BYTES):
            if not room.take(len(line)):
                return
            lines.put(line)
    lines.put(None)


def _no_console() -> int:
    if sys.platform == "win32":
        return subprocess.CREATE_NO_WINDOW
    return 0


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a process and what it started."""
    family: list[psutil.Process] = []
    with contextlib.suppress(psutil.Error):
        family = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    for each in family:
        with contextlib.suppress(psutil.Error):
            each.kill()
    process.wait()


def _variables(reader: PluginReader) -> dict[str, str]:
    variables = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONIOENCODING": "utf-8"}
    # Only in this process: no plugin's modules can take the place of another's.
    if sites := reader.sites():
        places = [*sites, variables.get("PYTHONPATH", "")]
        variables["PYTHONPATH"] = os.pathsep.join(each for each in places if each)
    return variables
