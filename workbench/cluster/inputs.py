"""What a job reads and a cluster does not have: found, hashed, and sent in pieces that are known by hash."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from workbench.cluster.client import RayJobs
from workbench.cluster.errors import PlaceError
from workbench.cluster.package import name_of_hash, piece_package
from workbench.cluster.place import Place
from workbench.cluster.request import CHECKPOINTS, FILE, FILES, MODEL, Input, SentFile
from workbench.jobs import publish
from workbench.jobs.script import without_folder
from workbench.jobs.spec import JobSpec
from workbench.library.hashing import content_hash
from workbench.library.inspect import inspect

#: A dashboard takes at most 100 MiB in one request, and holds it in memory while it does.
PIECE_BYTES = 48 << 20
#: Pieces wait in the memory of the cluster's head until the job has ended, so there is an end to it.
MAX_SENT_BYTES = 8 << 30

Progress = Callable[[int, int], None]


def inputs_of(spec: JobSpec, place: Place, folder: Path, *, resume: bool) -> tuple[list[Input], list[Path]]:
    """What a job reads, and for each the folder here that its files lie in.

    Raises:
        ModelFileError: A file is gone or can't be read.
    """
    found: list[tuple[str, Path, tuple[str, ...], str | None]] = []
    if spec.model is not None:
        found.append((MODEL, spec.model.path, inspect(spec.model.path).files, spec.model.sha256))
    for name, value in spec.params.items():
        if without_folder(value) != value:
            role = f"{FILES if isinstance(value, list) else FILE}{name}"
            for each in value if isinstance(value, list) else [value]:
                found.append((role, Path(each), publish.names_in(Path(each)), None))
    inputs, roots = [], []
    for role, path, names, sha256 in found:
        made, root = _input(role, path, names, sha256, place)
        inputs.append(made)
        roots.append(root)
    kept = folder / CHECKPOINTS
    if resume and any(kept.glob("*")):
        files = tuple(SentFile(name, (kept / name).stat().st_size) for name in publish.names_in(kept))
        inputs.append(Input(CHECKPOINTS, CHECKPOINTS, True, files))
        roots.append(kept)
    return inputs, roots


def _input(
    role: str, path: Path, names: tuple[str, ...], sha256: str | None, place: Place
) -> tuple[Input, Path]:
    root = path if path.is_dir() else path.parent
    files = tuple(SentFile(name, (root / name).stat().st_size) for name in names)
    known = sha256 or content_hash(path, names)
    return Input(role, path.name, path.is_dir(), files, known, place.remote_path(path) or ""), root


def sent_bytes(inputs: Sequence[Input]) -> int:
    """How much of it the cluster does not see by itself."""
    return sum(file.size for each in inputs if not each.remote for file in each.files)


def send(client: RayJobs, inputs: Sequence[Input], roots: Sequence[Path], progress: Progress) -> list[str]:
    """Give the cluster every piece that it has not got.

    Args:
        progress: Called with bytes done and bytes in all; what it raises stops the sending.

    Returns:
        The sha256 of each piece, in order.

    Raises:
        PlaceError: It is more than can be sent.
    """
    total = sent_bytes(inputs)
    if total > MAX_SENT_BYTES:
        raise PlaceError(
            f"{total / 1e9:.1f} GB would have to be sent to {client.place.name}, and at most "
            f"{MAX_SENT_BYTES / 1e9:.1f} GB go that way.",
            remedy="Keep the model in a folder that the cluster sees too, and name it in the settings of the "
            "place as a shared folder.",
        )
    hashes, done = [], 0
    for piece in _pieces(inputs, roots):
        sha256 = hashlib.sha256(piece).hexdigest()
        if not client.has_package(name_of_hash(sha256)):
            client.put_package(name_of_hash(sha256), piece_package(piece, sha256))
        hashes.append(sha256)
        done += len(piece)
        progress(done, total)
    return hashes


def all_there(client: RayJobs, hashes: Sequence[str]) -> bool:
    """Whether the cluster still has every piece; to ask also has it keep them for some minutes more."""
    return all(client.has_package(name_of_hash(each)) for each in hashes)


def _pieces(inputs: Sequence[Input], roots: Sequence[Path]) -> Iterator[bytes]:
    piece = bytearray()
    for each, root in zip(inputs, roots, strict=True):
        for file in () if each.remote else each.files:
            with (root / file.path).open("rb") as source:
                while block := source.read(PIECE_BYTES - len(piece)):
                    piece += block
                    if len(piece) == PIECE_BYTES:
                        yield bytes(piece)
                        piece.clear()
    if piece:
        yield bytes(piece)
