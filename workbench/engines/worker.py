"""The generating process: reads commands from standard input, writes events to standard output.

Started as `python -P -m workbench.engines.worker`. A crash in a backend ends this process and nothing else.
"""

from __future__ import annotations

import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterable
from typing import Any, BinaryIO

import msgspec
import psutil

from workbench.engines.base import Engine
from workbench.engines.errors import RequestError
from workbench.engines.load import open_engine
from workbench.engines.request import LoadOptions, Request
from workbench.engines.wire import (
    Cancel,
    Close,
    Command,
    Compare,
    Compared,
    Count,
    Counted,
    Delta,
    Embed,
    Embedded,
    ErrorInfo,
    Event,
    Failed,
    Finished,
    Generate,
    Load,
    Loaded,
    LoadFailed,
    Loading,
    Reading,
    Started,
    decode_command,
    encode,
)
from workbench.errors import WorkbenchError
from workbench.private_output import private_output

_READING_S = 0.5
_LOADING_S = 0.1


def main() -> int:
    """Run until `Close` or the end of the input; exit code 1 where the model could not be loaded."""
    out = private_output()
    # Ctrl+C in a terminal reaches the whole group; the client decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    commands: queue.SimpleQueue[Command | None] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(sys.stdin.buffer, commands), daemon=True).start()
    try:
        first = commands.get()
        if first is None or isinstance(first, Close):
            return 0
        if not isinstance(first, Load):
            _write(out, [LoadFailed(error=ErrorInfo(kind="usage", message="The first command is `load`."))])
            return 1
        engine = _load(out, first.options)
        if engine is None:
            return 1
        try:
            Session(engine, out, commands).run()
        finally:
            engine.close()
    except BrokenPipeError:
        return 0
    return 0


class Session:
    """Serves the commands of one client with one engine."""

    def __init__(self, engine: Engine, out: BinaryIO, commands: queue.SimpleQueue[Command | None]) -> None:
        self._engine = engine
        self._out = out
        self._commands = commands
        self._open = True
        self._process = psutil.Process()
        self._read_at = time.perf_counter()
        self._generated = 0
        self._prompted = 0

    def run(self) -> None:
        """Take commands and step, until the client is gone."""
        while self._open:
            busy = bool(self._engine.active or self._engine.waiting)
            self._take(wait=not busy)
            if self._open and (self._engine.active or self._engine.waiting):
                self._send(self._step())
                if not (self._engine.active or self._engine.waiting):
                    self._send([self._reading()])

    def _take(self, *, wait: bool) -> None:
        while True:
            try:
                command = self._commands.get(block=wait)
            except queue.Empty:
                return
            wait = False
            if command is None or isinstance(command, Close):
                self._open = False
                return
            self._send(self._obey(command))

    def _obey(self, command: Command) -> list[Event]:
        try:
            match command:
                case Generate(request=request):
                    return self._guarded(request)
                case Cancel(id=request_id):
                    return list(self._engine.cancel(request_id))
                case Count(request=request):
                    tokens = len(self._engine.prompt_tokens(request))
                    return [Counted(id=request.id, tokens=tokens, context=self._engine.report.context)]
                case Embed(id=request_id, texts=texts):
                    return self._embed(request_id, texts)
                case Compare(id=request_id, request=request):
                    return [self._compare(request_id, request)]
                case _:
                    return []
        except WorkbenchError as error:
            return [Failed(id=_id_of(command), error=ErrorInfo.of(error))]

    def _guarded(self, request: Request) -> list[Event]:
        """A template or a constraint may fail in any way; that is the fault of this request alone."""
        try:
            self._engine.add(request)
        except WorkbenchError:
            raise
        except Exception as error:
            raise RequestError(
                f"The request could not be prepared: {type(error).__name__}: {error}",
                details=traceback.format_exc(),
            ) from error
        return []

    def _embed(self, request_id: str, texts: tuple[str, ...]) -> list[Event]:
        while self._engine.active or self._engine.waiting:
            self._send(self._step())
        vectors, tokens = self._engine.embed(texts)
        return [Embedded(id=request_id, vectors=tuple(map(tuple, vectors.tolist())), tokens=tokens)]

    def _compare(self, request_id: str, request: Request) -> Compared:
        found = []
        for speculate in (False, True):
            sampling = msgspec.structs.replace(request.sampling, temperature=0.0)
            self._engine.add(
                msgspec.structs.replace(
                    request,
                    id=f"{request_id}#{speculate}",
                    sampling=sampling,
                    speculate=speculate,
                    reuse=False,
                )
            )
            found.append(self._finished(f"{request_id}#{speculate}"))
        (plain, plain_tokens), (guessed, guessed_tokens) = found
        longest = max(len(plain_tokens), len(guessed_tokens))
        different = next(
            (at for at in range(longest) if plain_tokens[at : at + 1] != guessed_tokens[at : at + 1]), None
        )
        return Compared(
            id=request_id,
            plain=plain.figures,
            speculative=guessed.figures,
            identical=different is None,
            first_difference=different,
        )

    def _finished(self, request_id: str) -> tuple[Finished, list[int]]:
        """Step until one request is done; what the others say goes out meanwhile."""
        tokens: list[int] = []
        while True:
            others: list[Event] = []
            end: Finished | None = None
            for each in self._step():
                match each:
                    case Delta(id=found) if found == request_id:
                        tokens.extend(each.tokens)
                    case Finished(id=found) if found == request_id:
                        end = each
                    case Failed(id=found, error=error) if found == request_id:
                        raise RequestError(error.message, remedy=error.remedy, details=error.details)
                    case Started(id=found) if found == request_id:
                        pass
                    case _:
                        others.append(each)
            self._send(others)
            if end is not None:
                return end, tokens

    def _step(self) -> list[Event]:
        events: list[Event] = list(self._engine.step())
        for each in events:
            match each:
                case Delta(tokens=tokens):
                    self._generated += len(tokens)
                case Started(prompt_tokens=all_tokens, cached_tokens=cached):
                    self._prompted += all_tokens - cached
                case _:
                    pass
        if time.perf_counter() - self._read_at >= _READING_S:
            events.append(self._reading())
        return events

    def _reading(self) -> Reading:
        now = time.perf_counter()
        passed = max(now - self._read_at, 1e-6)
        reading = Reading(
            tokens_per_s=self._generated / passed,
            prompt_tokens_per_s=self._prompted / passed,
            memory_bytes=self._engine.memory_bytes(),
            active=self._engine.active,
            waiting=self._engine.waiting,
            context_used=getattr(self._engine, "context_used", 0),
        )
        self._read_at, self._generated, self._prompted = now, 0, 0
        return reading

    def _send(self, events: Iterable[Event]) -> None:
        _write(self._out, events)


def _load(out: BinaryIO, options: LoadOptions) -> Engine | None:
    last = 0.0

    def progress(fraction: float) -> None:
        nonlocal last
        now = time.perf_counter()
        if now - last >= _LOADING_S:
            last = now
            _write(out, [Loading(fraction=min(1.0, fraction))])

    try:
        engine = open_engine(options, progress)
    except WorkbenchError as error:
        _write(out, [LoadFailed(error=ErrorInfo.of(error))])
        return None
    except MemoryError:
        info = ErrorInfo(
            kind="out-of-memory",
            message="Loading needed more memory than the machine has.",
            remedy="Choose a smaller context, fewer parallel requests, or a smaller model.",
        )
        _write(out, [LoadFailed(error=info)])
        return None
    except Exception as error:  # noqa: BLE001 - whatever a backend raises is the reason that the person sees
        info = ErrorInfo(
            kind="engine",
            message=f"The model could not be loaded: {type(error).__name__}: {error}",
            details=traceback.format_exc(),
        )
        _write(out, [LoadFailed(error=info)])
        return None
    _write(out, [Loaded(report=engine.report)])
    return engine


def _listen(source: BinaryIO, commands: queue.SimpleQueue[Command | None]) -> None:
    for line in source:
        try:
            commands.put(decode_command(line))
        except msgspec.DecodeError as error:
            sys.stderr.write(f"ignored a line that is no command: {error}\n")
    commands.put(None)


def _write(out: BinaryIO, events: Iterable[Event]) -> None:
    lines = b"".join(encode(each) for each in events)
    view = memoryview(lines)
    while view:
        view = view[out.write(view) or 0 :]


def _id_of(command: Any) -> str:
    request = getattr(command, "request", None)
    return str(request.id if request is not None else getattr(command, "id", ""))


if __name__ == "__main__":
    raise SystemExit(main())
