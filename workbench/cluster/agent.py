"""Runs one job on a node of a cluster: `python -m workbench.cluster.agent`, in the unpacked job package.

It needs nobody alive to listen. The job's folder is seen through the node's log folder, from where the
computer that asked for the job reads its events, its log and at the end its result.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from workbench.cluster.request import (
    ARRIVAL,
    CHECKPOINTS,
    FILE,
    FILES,
    MODEL,
    PIECE_FOLDER,
    REQUEST,
    RESULT,
    Arrival,
    Input,
    Request,
    Result,
    SentFile,
    folder_name,
)
from workbench.errors import ModelFileError, WorkbenchError
from workbench.jobs import exits, publish
from workbench.jobs.events import EventLog, Log, State, now
from workbench.jobs.last_word import last_word
from workbench.library.hashing import content_hash
from workbench.params import joined_paths

_BLOCK = 1 << 20
#: Between two looks whether the job has ended, in seconds.
_TICK_S = 0.05


def main() -> int:
    """Take the inputs, run `job.py`, and say what it left."""
    stop = _Stop()
    here = Path.cwd()
    request = msgspec.json.decode((here / REQUEST).read_bytes(), type=Request)
    folder, seen = _make_folder(here, request)
    for name in ("out", CHECKPOINTS, "inputs"):
        (folder / name).mkdir(exist_ok=True)
    _write(folder / ARRIVAL, msgspec.json.encode(Arrival(str(folder), str(seen), socket.gethostname())))
    try:
        command = _command(here, folder, request)
    except (WorkbenchError, OSError) as problem:
        _refuse(folder, problem)
        return _finish(folder, exits.FAILED)
    if stop.asked:
        return _finish(folder, exits.CANCELLED)
    with (folder / "log.txt").open("ab") as log:
        child = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
        )
        # Not `wait`, which would not be interrupted by anything on Windows.
        while child.poll() is None:
            time.sleep(_TICK_S)
    return _finish(folder, child.returncode)


class _Stop:
    """Ray asks every process of a job to end: `job.py` decides when, and this one ends after it.

    A handler and not `SIG_IGN`, which the child would inherit.
    """

    def __init__(self) -> None:
        self.asked = False
        signal.signal(signal.SIGTERM, self._note)

    def _note(self, _number: int, _frame: object) -> None:
        self.asked = True


def _make_folder(here: Path, request: Request) -> tuple[Path, Path]:
    """The job's folder, and where it is below Ray's logs: there itself, or seen from there by a link."""
    name = folder_name(request.submission)
    session = next((each for each in here.parents if each.name.startswith("session_")), here)
    seen = session / "logs" / name
    seen.parent.mkdir(parents=True, exist_ok=True)
    if not request.folder:
        seen.mkdir(exist_ok=True)
        return seen, seen
    folder = Path(request.folder).expanduser() / name
    folder.mkdir(parents=True, exist_ok=True)
    if not seen.is_symlink():
        seen.symlink_to(folder, target_is_directory=True)
    return folder, seen


def _command(here: Path, folder: Path, request: Request) -> list[str]:
    """The command line of the job, once all that it reads is there and is what it should be."""
    places = _take_inputs(folder, request)
    for script in here.glob("*.py"):
        shutil.copy(script, folder)
    if request.previous:
        _take_over(Path(request.previous) / CHECKPOINTS, folder / CHECKPOINTS)
    words = [sys.executable, str(folder / "job.py"), "--job-dir", str(folder)]
    lists: dict[str, list[str]] = {}
    for each, place in zip(request.inputs, places, strict=True):
        if each.role == MODEL:
            # It was compared above.
            words += ["--model", str(place), "--model-sha256", each.sha256]
        elif each.role.startswith(FILE):
            words += ["--set", f"{each.role.removeprefix(FILE)}={place}"]
        elif each.role.startswith(FILES):
            lists.setdefault(each.role.removeprefix(FILES), []).append(str(place))
    for name, paths in lists.items():
        words += ["--set", f"{name}={joined_paths(paths)}"]
    words += ["--threads", str(request.threads)]
    if request.resume and any((folder / CHECKPOINTS).iterdir()):
        words.append("--resume")
    return words


def _take_inputs(folder: Path, request: Request) -> list[Path]:
    """Put the files together from the pieces that were sent, and check every one by its hash."""
    pieces = _joined(request.pieces)
    places = []
    for number, each in enumerate(request.inputs):
        if each.role == CHECKPOINTS:
            place = folder / CHECKPOINTS
            _write_files(each, place, pieces)
        elif each.remote:
            place = Path(each.remote)
        else:
            root = folder / "inputs" / str(number)
            _write_files(each, root / each.entry if each.is_folder else root, pieces)
            place = root / each.entry
        if each.sha256:
            _check(each, place)
        places.append(place)
    return places


def _write_files(input: Input, root: Path, pieces: _Pieces) -> None:
    for file in input.files:
        target = root / file.path
        if not target.resolve().is_relative_to(root.resolve()):
            raise ModelFileError(target, "its name leads out of its folder.")
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as out:
            for block in pieces.take(file.size):
                out.write(block)


def _check(input: Input, place: Path) -> None:
    found = content_hash(place, [file.path for file in input.files])
    if found != input.sha256:
        where = "in the shared folder" if input.remote else "as it arrived"
        raise ModelFileError(
            place,
            f"it is not the file that was meant: its sha256 {where} is {found}, and {input.sha256} was asked "
            "for.",
            remedy="Run the job again; where the folder is shared, look whether both sides see the same.",
        )


class _Pieces:
    """The stream of all files that were sent, from the pieces that Ray unpacked on this node."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._rest = b""

    def take(self, size: int) -> Iterator[bytes]:
        while size:
            block = self._rest or next(self._blocks, b"")
            if not block:
                raise ModelFileError(Path(REQUEST), "less was sent than the job needs.")
            self._rest = block[size:]
            yield block[:size]
            size -= len(block[:size])


def _joined(hashes: Sequence[str]) -> _Pieces:
    roots = [*os.environ.get("PYTHONPATH", "").split(os.pathsep), *sys.path]
    folders = [Path(each) / PIECE_FOLDER for each in dict.fromkeys(roots)]

    def blocks() -> Iterator[bytes]:
        for sha256 in hashes:
            found = next((each / sha256 for each in folders if (each / sha256).is_file()), None)
            if found is None:
                raise ModelFileError(Path(sha256), "a piece of what was sent did not reach this node.")
            with found.open("rb") as file:
                while block := file.read(_BLOCK):
                    yield block

    return _Pieces(blocks())


def _take_over(source: Path, target: Path) -> None:
    """Take the checkpoints of an attempt whose node died from the shared folder, and clear that away."""
    if source.is_dir() and not any(target.iterdir()):
        shutil.copytree(source, target, dirs_exist_ok=True)
    shutil.rmtree(source.parent, ignore_errors=True)


def _refuse(folder: Path, problem: BaseException) -> None:
    """Say in the job's events why it could not begin."""
    word = last_word(problem, folder)
    log = EventLog(folder / "events.jsonl")
    if word.error is not None:
        log.append(word.error)
    log.append(Log(now(), f"on {socket.gethostname()}: {problem}", "error"))
    log.append(State(now(), "failed", word.error.message if word.error else ""))
    log.close()


def _finish(folder: Path, code: int) -> int:
    """Write down what is there to fetch; the exit code is the job's own."""
    files = []
    for name in ("out", CHECKPOINTS):
        for path in publish.files_of(folder / name):
            relative = path.relative_to(folder).as_posix()
            if not any(part.startswith(".partial-") for part in path.parts):
                files.append(SentFile(relative, path.stat().st_size, content_hash(path, [path.name])))
    _write(folder / RESULT, msgspec.json.encode(Result(code, tuple(files))))
    shutil.rmtree(folder / "inputs", ignore_errors=True)
    return 128 - code if code < 0 else code


def _write(path: Path, content: bytes) -> None:
    draft = path.with_name(f".{path.name}")
    draft.write_bytes(content)
    draft.replace(path)


if __name__ == "__main__":
    raise SystemExit(main())
