"""Tells what a file is by its first bytes, whatever its name claims."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from workbench.errors import ModelFileError, UnsafeModelError

#: Endings under which torch writes pickles.
PICKLE_ENDINGS = frozenset({".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle"})

_PICKLE_REMEDY = (
    "A pickle checkpoint can run any code when it is loaded, so Tenfold never opens one. "
    "Get the same model as safetensors or GGUF."
)
_LOOK = 1 << 16


def stat_of(path: Path) -> os.stat_result:
    """`os.stat`, with an error that a person understands.

    Raises:
        ModelFileError: It is gone, not permitted, behind links that lead in a circle, or its disk fails.
    """
    try:
        return path.stat()
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: OSError | ValueError | EOFError) -> ModelFileError:
    """The error of the system about a path, in words."""
    code = getattr(error, "errno", None)
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        if path.is_symlink():
            return ModelFileError(
                path, "it is a link to a file that is not there.", remedy="Finish or repeat the download."
            )
        return ModelFileError(path, f"it is not there (any more): {shown(path)}.", remedy="Check the path.")
    if isinstance(error, PermissionError):
        return ModelFileError(
            path,
            "this user is not permitted to read it.",
            remedy="Change its permissions, or copy it to a place of your own.",
            details=str(error),
        )
    if code == errno.ELOOP:
        return ModelFileError(path, "its links lead in a circle.", remedy="Remove the links.")
    if code == errno.ENAMETOOLONG:
        return ModelFileError(path, "the path is too long for this system.")
    if isinstance(error, ValueError):
        return ModelFileError(path, "the path can't exist on this system.", details=str(error))
    return ModelFileError(path, "it can't be read; the disk may be failing.", details=str(error))


def shown(path: Path) -> str:
    """A path as text that every terminal and database can hold."""
    return str(path).encode("utf-8", "replace").decode()


def regular_size(path: Path) -> int:
    """The size in bytes of a regular file.

    Raises:
        ModelFileError: It is gone, not permitted, empty, or something other than a file (opening a pipe
            would wait for ever).
    """
    found = stat_of(path)
    if stat.S_ISDIR(found.st_mode):
        raise ModelFileError(path, "it is a folder where a file should be.")
    if not stat.S_ISREG(found.st_mode):
        raise ModelFileError(path, "it is a device or a pipe, not a file.")
    if found.st_size == 0:
        raise ModelFileError(path, "it is empty.", remedy="Download or copy it again.")
    return found.st_size


def head_of(path: Path, count: int = 64) -> bytes:
    """The first bytes of a regular file; see `regular_size` for the errors."""
    regular_size(path)
    try:
        with path.open("rb") as file:
            return file.read(count)
    except OSError as error:
        raise unreadable(path, error) from error


def refuse_pickle(path: Path) -> None:
    """Refuse a pickle, plain or in torch's zip, whatever its ending.

    Raises:
        UnsafeModelError: It is one.
    """
    if is_pickle(path):
        raise UnsafeModelError(path, "it is a pickle checkpoint.", remedy=_PICKLE_REMEDY)


def unsafe_by_name(path: Path, names: tuple[str, ...]) -> UnsafeModelError:
    """The error for a folder that holds pickle checkpoints alone."""
    listed = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
    return UnsafeModelError(
        path, f"its weights are pickle checkpoints alone ({listed}).", remedy=_PICKLE_REMEDY
    )


def is_pickle(path: Path) -> bool:
    """Whether the bytes are a pickle or torch's zip around one. Reads at most 128 KiB."""
    try:
        with path.open("rb") as file:
            head = file.read(_LOOK)
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _LOOK))
            tail = file.read(_LOOK)
    except OSError as error:
        raise unreadable(path, error) from error
    if head.startswith(b"PK\x03\x04"):
        return b".pkl" in head or b".pkl" in tail
    # Protocols 2 to 5 open with PROTO and end with STOP; the second byte of a safetensors length is
    # practically never that, and GGUF has its own magic.
    return len(head) > 2 and head[0] == 0x80 and 2 <= head[1] <= 5 and tail.rstrip(b"\0").endswith(b".")


def not_a_model(path: Path, head: bytes) -> ModelFileError:
    """The error for a file whose first bytes are no GGUF, naming what they look like."""
    text = head.lstrip().lower()
    if head[:4] in {b"lmgg", b"tjgg", b"fmgg", b"algg"}:
        return ModelFileError(
            path,
            "it is a GGML file from before GGUF, which nothing current loads.",
            remedy="Get the same model as GGUF.",
        )
    if head[:4] == b"FUGG":
        return ModelFileError(path, "it is a GGUF file with its bytes swapped.", remedy="Download it again.")
    if text.startswith(b"version https://git-lfs"):
        return ModelFileError(
            path,
            "it is a Git LFS pointer, not the file itself.",
            remedy="Run `git lfs pull` in its folder, or download it again.",
        )
    if text.startswith((b"<!doctype", b"<html", b"<?xml")):
        return ModelFileError(
            path, "it is a web page, not a model.", remedy="The download went wrong: repeat it."
        )
    if head.startswith(b"PK\x03\x04"):
        return ModelFileError(path, "it is a zip archive.", remedy="Unpack it, and add what was inside.")
    if head.startswith(b"\x1f\x8b"):
        return ModelFileError(path, "it is a gzip archive.", remedy="Unpack it, and add what was inside.")
    return ModelFileError(
        path,
        "it is not a model file that Tenfold reads.",
        remedy="Add a GGUF file, or a folder with config.json and safetensors files.",
    )
