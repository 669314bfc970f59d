"""Follows the events and the log of a job on a node, and writes them on into the job's folder here."""

from __future__ import annotations

import contextlib
import queue
import threading
from pathlib import Path

import msgspec

from workbench.cluster.client import RayJobs
from workbench.cluster.errors import PlaceError
from workbench.jobs.events import Artifact, Error, Event, EventLog, Spec, State

_BLOCK = 1 << 16
#: Between two tries to read a file on, in seconds.
_AGAIN_S = 1.0
#: The end of the events here that is searched for what was written already.
_TAIL_BYTES = 256 << 10

_decoder = msgspec.json.Decoder(Event)
_encoder = msgspec.json.Encoder()


class FileFollower:
    """Reads a growing file of a node in a thread of its own; whoever wants its bytes takes them.

    Where the connection breaks it begins again and skips what it has: Ray gives a file from its beginning
    alone.

    Args:
        offset: The byte to begin at.
    """

    def __init__(self, client: RayJobs, node: str, name: str, offset: int) -> None:
        self._client = client
        self._node = node
        self._name = name
        self._offset = offset
        self._blocks: queue.Queue[bytes] = queue.Queue(maxsize=64)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"follow {name}", daemon=True)
        self._thread.start()

    def take(self) -> bytes:
        """What came in since the last call."""
        found = bytearray()
        with contextlib.suppress(queue.Empty):
            while True:
                found += self._blocks.get_nowait()
        return bytes(found)

    def close(self) -> None:
        """Read no further. The thread ends with the next thing that it hears, or with the process."""
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            # A node that is gone, a file that is not there yet, a cut line: all may be mended.
            with contextlib.suppress(PlaceError, OSError, ValueError):
                self._read()
            self._stop.wait(_AGAIN_S)

    def _read(self) -> None:
        skip = self._offset
        with self._client.open_file(self._node, self._name, follow=True) as file:
            while not self._stop.is_set():
                block = file.read_some(_BLOCK)
                if not block:
                    return
                new = block[skip:]
                skip = max(0, skip - len(block))
                while new and not self._stop.is_set():
                    with contextlib.suppress(queue.Full):
                        self._blocks.put(new, timeout=0.5)
                        self._offset += len(new)
                        break


class EventMirror:
    """Writes the events of a job there into its events here, each once, and keeps its last word back.

    What a job says at its end holds here only when its result is here: the artifact, the error and the last
    state wait in `held` until then.

    Attributes:
        offset: Bytes of the events there that are dealt with.
        held: What is kept back.
    """

    def __init__(self, log: EventLog, offset: int) -> None:
        self.offset = offset
        self.held: list[Event] = []
        self._log = log
        self._rest = b""
        self._seen = _lines_near_the_end(log.path)

    def take(self, block: bytes) -> None:
        """Write on what was read."""
        *lines, self._rest = (self._rest + block).split(b"\n")
        for line in lines:
            self.offset += len(line) + 1
            if line.strip():
                self._enter(line)

    def finish(self, rest: bytes) -> None:
        """Write on the rest of the file, from `offset` on."""
        self._rest = b""
        self.take(rest)

    def last_state(self) -> State | None:
        """The state that the job ended in by its own word."""
        return next((each for each in reversed(self.held) if isinstance(each, State)), None)

    def _enter(self, line: bytes) -> None:
        try:
            event = _decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return
        if isinstance(event, Spec):
            return  # the events here begin with it
        if isinstance(event, State) and event.state == "running":
            return  # it names a process of another computer, and the worker here says better where it is
        if isinstance(event, State | Artifact | Error):
            self.held.append(event)
            return
        encoded = _encoder.encode(event)
        if encoded not in self._seen:
            self._log.append(event)


def _lines_near_the_end(path: Path) -> frozenset[bytes]:
    """The last lines of the events here: whoever was killed may have written some without noting it."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - _TAIL_BYTES))
        return frozenset(file.read().split(b"\n"))
