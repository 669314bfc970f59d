"""Free space that is held while a download grows into it, so that nothing else takes it meanwhile."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from workbench.plugin import DiskFullError


class Reservation:
    """A file that occupies the space that is still to come, and gives it back piece by piece.

    `posix_fallocate` on Linux and `F_PREALLOCATE` on macOS make the blocks real; on Windows a file's
    length is allocated as it stands. Where the file system can do none of these, the space is checked
    by the caller's `reserve` alone.
    """

    #: Space is given back in pieces, so that a download makes few calls.
    _PIECE_BYTES = 64 << 20

    def __init__(self, path: Path, size_bytes: int) -> None:
        self._path = path
        self._held = size_bytes
        self._file = path.open("wb")
        try:
            _allocate(self._file.fileno(), size_bytes)
        except OSError as error:
            self.release()
            if error.errno in _FULL:
                raise DiskFullError(path.parent, needed_bytes=size_bytes) from error
            # The file system can't preallocate; going on with the check alone is what it allows.

    def shrink_to(self, size_bytes: int) -> None:
        """Hold only what is still to come."""
        if self._file.closed or self._held - size_bytes < self._PIECE_BYTES:
            return
        self._held = max(size_bytes, 0)
        self._file.truncate(self._held)

    def release(self) -> None:
        self._file.close()
        self._path.unlink(missing_ok=True)


def _allocate(descriptor: int, size_bytes: int) -> None:
    if size_bytes <= 0:
        return
    if sys.platform == "darwin":
        import fcntl
        import struct

        # struct fstore: flags (F_ALLOCATEALL), position mode (F_PEOFPOSMODE), offset, length, allocated.
        fcntl.fcntl(descriptor, 42, struct.pack("IiqqQ", 4, 3, 0, size_bytes, 0))
        os.ftruncate(descriptor, size_bytes)
    elif sys.platform == "win32":
        os.truncate(descriptor, size_bytes)
    else:
        os.posix_fallocate(descriptor, 0, size_bytes)


def _full_codes() -> frozenset[int]:
    import errno

    return frozenset({errno.ENOSPC, errno.EDQUOT} if hasattr(errno, "EDQUOT") else {errno.ENOSPC})


_FULL = _full_codes()
