"""An asyncio client of one generating process, shared by all requests to its model."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator

from workbench.engines.client import engine_command
from workbench.engines.errors import EngineError, RequestError
from workbench.engines.request import LoadOptions, Request
from workbench.engines.wire import (
    Cancel,
    Close,
    Command,
    Count,
    Counted,
    Delta,
    Embed,
    Embedded,
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
    Reading,
    Started,
    decode_event,
    encode,
)
from workbench.jobs.exits import words
from workbench.jobs.processes import no_console

#: The longest line: an embedding of many texts, or an answer's whole text.
_LONGEST_LINE = 256 * 2**20
#: Messages that wait for a client that does not read; then its request is given up.
_MOST_UNREAD = 4096
_CLOSE_S = 20.0


class EngineProcess:
    """A loaded model in a process of its own. Made by `start`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._queues: dict[str, asyncio.Queue[Event]] = {}
        self._load: asyncio.Queue[Event] = asyncio.Queue()
        self._log: deque[str] = deque(maxlen=60)
        self._reader = asyncio.create_task(self._read())
        self._logger = asyncio.create_task(self._read_log())
        self.report: LoadReport | None = None
        self.reading: Reading | None = None

    @classmethod
    async def start(cls, options: LoadOptions) -> EngineProcess:
        """Start a process and load a model.

        Raises:
            EngineError: It could not be loaded.
        """
        process = await asyncio.create_subprocess_exec(
            *engine_command(),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=_LONGEST_LINE,
            creationflags=no_console(),
        )
        self = cls(process)
        try:
            await self._send(Load(options=options))
            while True:
                event = await self._load.get()
                if isinstance(event, Loaded):
                    self.report = event.report
                    return self
                if isinstance(event, LoadFailed):
                    raise _as_error(EngineError, event.error)
        except BaseException:
            await self.close()
            raise

    @property
    def process_id(self) -> int:
        """The generating process."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.returncode is None and not self._reader.done()

    async def generate(self, request: Request) -> AsyncGenerator[Emission]:
        """What comes of a request, until it is done; leaving early cancels it.

        Raises:
            RequestError: It can't be answered, or nobody read what came.
            EngineError: The process died.
        """
        queue = self._expect(request.id)
        finished = False
        try:
            await self._send(Generate(request=request))
            while True:
                event = await queue.get()
                if isinstance(event, Failed):
                    finished = True
                    raise _failure(event.error)
                finished = isinstance(event, Finished)
                if isinstance(event, Started | Delta | Finished):
                    yield event
                if finished:
                    return
        finally:
            self._queues.pop(request.id, None)
            if not finished and self.alive:
                with contextlib.suppress(EngineError):
                    await self._send(Cancel(id=request.id))

    async def count(self, request: Request) -> Counted:
        """How many tokens a prompt has."""
        answer = await self._ask(request.id, Count(request=request))
        if not isinstance(answer, Counted):
            raise EngineError("The generating process gave an answer to another question.")
        return answer

    async def embed(self, id: str, texts: tuple[str, ...]) -> Embedded:
        """One vector a text."""
        answer = await self._ask(id, Embed(id=id, texts=texts))
        if not isinstance(answer, Embedded):
            raise EngineError("The generating process gave an answer to another question.")
        return answer

    async def close(self) -> None:
        """End the process: by asking, so that it frees its memory, then by force."""
        if self._process.returncode is None:
            with contextlib.suppress(EngineError):
                await self._send(Close())
            try:
                await asyncio.wait_for(self._process.wait(), _CLOSE_S)
            except TimeoutError:
                self._process.kill()
                await self._process.wait()
        for task in (self._reader, self._logger):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _ask(self, id: str, command: Command) -> Event:
        queue = self._expect(id)
        try:
            await self._send(command)
            answer = await queue.get()
        finally:
            self._queues.pop(id, None)
        if isinstance(answer, Failed):
            raise _failure(answer.error)
        return answer

    def _expect(self, id: str) -> asyncio.Queue[Event]:
        if not self.alive:
            raise self._dead()
        queue: asyncio.Queue[Event] = asyncio.Queue()
        self._queues[id] = queue
        return queue

    async def _send(self, command: Command) -> None:
        pipe = self._process.stdin
        try:
            if pipe is not None:
                pipe.write(encode(command))
                await pipe.drain()
        except (OSError, RuntimeError) as error:
            raise self._dead() from error

    async def _read(self) -> None:
        pipe = self._process.stdout
        while pipe is not None:
            line = await pipe.readline()
            if not line:
                break
            self._dispatch(decode_event(line))
        await self._process.wait()
        error = ErrorInfo.of(self._dead())
        self._load.put_nowait(LoadFailed(error=error))
        for id, queue in self._queues.items():
            queue.put_nowait(Failed(id=id, error=error))

    def _dispatch(self, event: Event) -> None:
        if isinstance(event, Reading):
            self.reading = event
            return
        id = getattr(event, "id", None)
        if id is None:
            self._load.put_nowait(event)
            return
        queue = self._queues.get(id)
        if queue is None:
            return
        if queue.qsize() >= _MOST_UNREAD and not isinstance(event, Finished | Failed):
            # Leaving the iterator cancels it; what still comes finds no queue.
            del self._queues[id]
            error = ErrorInfo(
                kind="request", message="The answer was not read for too long and was given up."
            )
            queue.put_nowait(Failed(id=id, error=error))
            return
        queue.put_nowait(event)

    async def _read_log(self) -> None:
        pipe = self._process.stderr
        while pipe is not None:
            line = await pipe.readline()
            if not line:
                return
            self._log.append(line.decode("utf-8", errors="replace").rstrip())

    def _dead(self) -> EngineError:
        return EngineError(
            f"The generating process ended: {words(self._process.returncode)}.",
            remedy="The next request starts it again.",
            details="\n".join(self._log),
        )


def _failure(error: ErrorInfo) -> RequestError | EngineError:
    return _as_error(EngineError if error.kind == "engine" else RequestError, error)


def _as_error(kind: type[EngineError] | type[RequestError], error: ErrorInfo) -> EngineError | RequestError:
    made = kind(error.message, remedy=error.remedy, details=error.details)
    made.kind = error.kind
    return made
