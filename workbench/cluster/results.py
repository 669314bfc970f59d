"""Brings what a job made on a node into its folder here, checked by hash."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import msgspec

from workbench.cluster.client import RayJobs, RemoteFile
from workbench.cluster.errors import ConnectionLostError, PlaceError
from workbench.cluster.request import CHECKPOINTS, RESULT, Result, SentFile, folder_name
from workbench.cluster.submission import Submission
from workbench.jobs import publish
from workbench.jobs.events import Artifact
from workbench.library.hashing import content_hash

_BLOCK = 1 << 20

Progress = Callable[[int, int], None]


class Fetcher:
    """Reads the files of one job: through a shared folder where there is one, else from its node."""

    def __init__(self, client: RayJobs, submission: Submission, node: str) -> None:
        self._client = client
        self._node = node
        self._name = folder_name(submission.id)
        self._shared = client.place.local_path(submission.folder) if submission.folder else None

    @property
    def place(self) -> str:
        """The name of the place."""
        return self._client.place.name

    def result(self) -> Result:
        """How the job ended and what it left.

        Raises:
            PlaceError: It left no such word: its node is gone, or it was killed.
        """
        content = self._client.read_file(self._node, f"{self._name}/{RESULT}")
        try:
            return msgspec.json.decode(content, type=Result)
        except msgspec.MsgspecError as error:
            raise PlaceError(f"{self._client.place.name} gave a result that can't be read.") from error

    def rest_of(self, name: str, offset: int) -> bytes:
        """What a file holds from a byte on; nothing where there is none."""
        try:
            with self._client.open_file(self._node, f"{self._name}/{name}") as file:
                found = bytearray()
                for block in _blocks(file):
                    found += block[offset:]
                    offset = max(0, offset - len(block))
                return bytes(found)
        except ConnectionLostError:
            raise
        except PlaceError:
            return b""

    def fetch(self, files: Sequence[SentFile], root: str, target: Path, progress: Progress) -> None:
        """Bring the files below one of the job's folders to a folder here.

        Args:
            root: `out` or `checkpoints`.

        Raises:
            PlaceError: One of them is not what the node said.
            ConnectionLostError: The line broke; what is whole already is not fetched again.
        """
        total, done = sum(file.size for file in files), 0
        for file in files:
            path = target / Path(file.path).relative_to(root)
            if not path.resolve().is_relative_to(target.resolve()):
                raise PlaceError(
                    f"{self._client.place.name} names a file outside of its folder: {file.path}."
                )
            path.parent.mkdir(parents=True, exist_ok=True)
            if not (path.is_file() and path.stat().st_size == file.size and _hash_of(path) == file.sha256):
                self._bring(file, path, _after(done, total, progress))
            done += file.size
            progress(done, total)

    def _bring(self, file: SentFile, path: Path, report: Callable[[int], None]) -> None:
        digest, count = hashlib.sha256(), 0
        with self._source(file) as blocks, path.open("wb") as out:
            for block in blocks:
                out.write(block)
                digest.update(block)
                count += len(block)
                report(min(count, file.size))
        if count < file.size:
            raise ConnectionLostError(f"{file.path} broke off after {count} of {file.size} bytes.")
        if digest.hexdigest() != file.sha256:
            raise PlaceError(
                f"{file.path} is not what {self._client.place.name} said: its sha256 is "
                f"{digest.hexdigest()}, and {file.sha256} was expected.",
                remedy="Run the job again.",
            )

    @contextlib.contextmanager
    def _source(self, file: SentFile) -> Iterator[Iterator[bytes]]:
        if self._shared is not None:
            with (self._shared / file.path).open("rb") as source:
                yield _blocks(source)
            return
        with self._client.open_file(self._node, f"{self._name}/{file.path}") as remote:
            yield _blocks(remote)


def fetch_checkpoints(fetcher: Fetcher, result: Result, folder: Path, progress: Progress) -> None:
    """Replace the checkpoints here by those of the node, which are newer."""
    files = [file for file in result.files if file.path.startswith(f"{CHECKPOINTS}/")]
    if not files:
        return
    draft, kept = folder / f".new-{CHECKPOINTS}", folder / CHECKPOINTS
    draft.mkdir(exist_ok=True)
    fetcher.fetch(files, CHECKPOINTS, draft, progress)
    publish.force_to_disk(draft)
    shutil.rmtree(kept, ignore_errors=True)
    draft.replace(kept)


def forget_checkpoints(folder: Path) -> None:
    """A job that was cancelled keeps nothing, as here."""
    shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)
    (folder / CHECKPOINTS).mkdir(exist_ok=True)


def fetch_output(
    fetcher: Fetcher, result: Result, artifact: Artifact, folder: Path, name: str, progress: Progress
) -> None:
    """Bring what the job made, and put it in place in one step, as a worker here does.

    Raises:
        PlaceError: It is not what the job said that it made.
    """
    files = [file for file in result.files if file.path.startswith("out/")]
    staging = folder / "out" / ".partial-fetched"
    staging.mkdir(parents=True, exist_ok=True)
    fetcher.fetch(files, "out", staging, progress)
    placed = staging / Path(artifact.path).relative_to("out")
    found = content_hash(placed, _names(placed, artifact))
    if found != artifact.sha256:
        raise PlaceError(
            f"The result is not what the job made: its sha256 is {found}, and the job said "
            f"{artifact.sha256}.",
            remedy="Run the job again.",
        )
    publish.publish(staging / Path(artifact.path).parts[1], staging, name)


def _names(placed: Path, artifact: Artifact) -> tuple[str, ...]:
    if artifact.role == "model":
        from workbench.library.inspect import inspect

        return inspect(placed).files
    return publish.names_in(placed)


def _blocks(source: RemoteFile | BinaryIO) -> Iterator[bytes]:
    while block := source.read(_BLOCK):
        yield block


def _hash_of(path: Path) -> str:
    return content_hash(path, [path.name])


def _after(before: int, total: int, progress: Progress) -> Callable[[int], None]:
    """Reports the bytes of one file as a part of all."""
    return lambda count: progress(before + count, total)
