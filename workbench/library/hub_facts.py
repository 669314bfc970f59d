"""What a model on the hub is, read from the first megabytes of its files before anything is downloaded."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path, PurePosixPath
from typing import IO

from workbench.errors import ModelFileError
from workbench.library.hub import Hub, HubChoice, HubFile, HubListing
from workbench.library.inspect import inspect
from workbench.model import ModelFacts

#: A header holds the vocabulary, so it takes some megabytes; the next size is tried where one is too small.
_PREFIX_BYTES = (1 << 20, 8 << 20, 64 << 20)
#: Smaller files (configuration, tokenizer, licence) are read whole.
_WHOLE_BYTES = 1 << 20


def remote_facts(hub: Hub, listing: HubListing, choice: HubChoice) -> ModelFacts:
    """The facts of a choice, as `inspect` will see them after the download.

    The files are laid out in a temporary folder with their real sizes and only their beginnings filled,
    as sparse files, so that the same reader with the same checks serves both.

    Raises:
        HubError: The hub can't be reached or refuses.
        ModelFileError: What the hub offers is no model that Tenfold can read.
    """
    files = {file.name: file for file in listing.files}
    with tempfile.TemporaryDirectory(prefix="tenfold-hub-") as name:
        folder = Path(name)
        for size in _PREFIX_BYTES:
            paths = [_lay_out(hub, listing, files[each], folder, size) for each in choice.files]
            target = min(paths) if choice.format == "gguf" else folder
            try:
                return inspect(target)
            except ModelFileError:
                if size == _PREFIX_BYTES[-1]:
                    raise
    raise AssertionError("the loop returns or raises")


def _lay_out(hub: Hub, listing: HubListing, file: HubFile, folder: Path, prefix_bytes: int) -> Path:
    path = folder / PurePosixPath(file.name).name
    heavy = path.suffix in (".gguf", ".safetensors")
    # A long tokenizer.json says nothing that the facts need, so its beginning would only be malformed.
    if not heavy and file.size_bytes > _WHOLE_BYTES:
        return path
    wanted = min(file.size_bytes, prefix_bytes) if heavy else file.size_bytes
    with path.open("wb") as target:
        _make_sparse(target)
        target.write(hub.beginning(listing.repo, listing.commit, file.name, wanted))
        target.truncate(file.size_bytes)
    return path


def _make_sparse(file: IO[bytes]) -> None:
    """On Windows a file takes its whole length on disk unless it is marked sparse first."""
    if sys.platform == "win32":
        import ctypes
        import msvcrt

        fsctl_set_sparse = 0x900C4
        handle = msvcrt.get_osfhandle(file.fileno())
        returned = ctypes.c_ulong()
        ctypes.windll.kernel32.DeviceIoControl(
            handle, fsctl_set_sparse, None, 0, None, 0, ctypes.byref(returned), None
        )
