"""A blocking client of one generating process, for the command line, jobs and tests."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator
from types import TracebackType

from workbench.engines.errors import EngineError, RequestError
from workbench.engines.request import LoadOptions, Request
from workbench.engines.wire import (
    Cancel,
    Close,
    Command,
    Delta,
    Emission,
    ErrorInfo,
    Event,
    Failed,
    Finished,
    Generate,
    Load,
    Loaded,
    LoadFailed,
    LoadReport,
    Started,
    decode_event,
    encode,
)
from workbench.jobs.exits import words
from workbench.jobs.processes import no_console

_CLOSE_S = 20.0


def engine_command() -> list[str]:
    """What starts a generating process."""
    return [sys.executable, "-P", "-m", "workbench.engines.worker"]


class EngineClient:
    """Owns a generating process; use it as a context manager, so that none is left behind."""

    def __init__(self) -> None:
        self._log: deque[str] = deque(maxlen=60)
        self._process = subprocess.Popen(
            engine_command(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            creationflags=no_console(),
        )
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def __enter__(self) -> EngineClient:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def process_id(self) -> int:
        """The generating process."""
        return self._process.pid

    def load(self, options: LoadOptions) -> LoadReport:
        """Load a model and wait for it.

        Raises:
            EngineError: It could not be loaded; the message is the engine's own.
        """
        self.send(Load(options=options))
        for event in self.events():
            match event:
                case Loaded(report=report):
                    return report
                case LoadFailed(error=error):
                    raise _raised(EngineError, error)
                case _:
                    pass
        raise self._dead()

    def generate(self, request: Request) -> Iterator[Emission]:
        """Begin an answer, and give what comes of it until it is done.

        Raises:
            RequestError: It could not be answered.
            EngineError: The process died.
        """
        self.send(Generate(request=request))
        yield from self.rest_of(request.id)

    def rest_of(self, request_id: str) -> Iterator[Emission]:
        """What is still to come of an answer; raises as `generate` does."""
        for event in self.events():
            if getattr(event, "id", None) != request_id:
                continue
            if isinstance(event, Failed):
                raise _raised(RequestError, event.error)
            if isinstance(event, Started | Delta | Finished):
                yield event
            if isinstance(event, Finished):
                return
        raise self._dead()

    def cancel(self, request_id: str) -> None:
        """Ask for the end of an answer; safe to call from another thread."""
        self.send(Cancel(id=request_id))

    def send(self, command: Command) -> None:
        """Send a command.

        Raises:
            EngineError: The process is gone.
        """
        pipe = self._process.stdin
        try:
            if pipe is not None:
                pipe.write(encode(command))
                pipe.flush()
        except OSError as error:
            raise self._dead() from error

    def events(self) -> Iterator[Event]:
        """Every event as it comes; ends with the process."""
        pipe = self._process.stdout
        if pipe is not None:
            for line in pipe:
                yield decode_event(line)

    def close(self) -> None:
        """End the process: by asking, so that it frees its memory, then by force."""
        if self._process.poll() is None:
            try:
                self.send(Close())
                self._process.wait(_CLOSE_S)
            except (EngineError, subprocess.TimeoutExpired):
                self._process.kill()
                self._process.wait()
        self._listener.join(1.0)
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()

    def _listen(self) -> None:
        pipe = self._process.stderr
        if pipe is not None:
            for line in pipe:
                self._log.append(line.decode("utf-8", errors="replace").rstrip())

    def _dead(self) -> EngineError:
        code = self._process.wait()
        self._listener.join(1.0)
        return EngineError(
            f"The generating process ended: {words(code)}.",
            remedy="Load the model again; with a smaller context if memory was short.",
            details="\n".join(self._log),
        )


def _raised(kind: type[EngineError] | type[RequestError], error: ErrorInfo) -> EngineError | RequestError:
    made = kind(error.message, remedy=error.remedy, details=error.details)
    made.kind = error.kind
    return made
