"""Hashes the content of models: as a function, and as a process of its own that says how far it is.

`python -m workbench.library.hashing PATH [FILE…]` prints JSON lines: `{"done": 5, "total": 98}` as it
goes, at last `{"sha256": "…"}` or `{"error": "…"}`. It starts in a tenth of a second, as it imports
nothing heavy, and works at low priority.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workbench.library.hash_queue import HashProgress, HashQueue

__all__ = ["HashProgress", "HashQueue", "content_hash"]

Progress = Callable[[int, int], None]

_CHUNK = 1 << 20
#: Seconds between two progress lines: more would only make the file long.
_INTERVAL_S = 0.1
#: With this flag the file list comes as one JSON line on standard input, and the process ends when
#: standard input does: its parent holds the other end, and lives no longer.
FOLLOW = "--follow-parent"


def content_hash(path: Path, files: Sequence[str] | None = None, progress: Progress | None = None) -> str:
    """The sha256 of a model's content, in hexadecimal.

    Of a single file it is the file's own, as `sha256sum` prints it. Of several it is the sha256 of the
    sorted lines `HEX  NAME\\n`, with `/` in names: the same as
    `sha256sum FILES | LC_ALL=C sort | sha256sum` prints in the model's folder.

    Args:
        path: A file, the first part of a split one, or a folder.
        files: Names below the folder (of `path`, or that holds it); where not given, the files that make the
            model, which for a safetensors folder reads the names in it.
        progress: Called with bytes done and bytes in all.

    Raises:
        ModelFileError: A file is gone, can't be read, or changed while it was read.
    """
    root, names = _files(path, files)
    sizes = [_size(root / name) for name in names]
    total, done = sum(sizes), 0

    def report(count: int) -> None:
        if progress is not None:
            progress(done + count, total)

    lines: list[bytes] = []
    for name, size in zip(names, sizes, strict=True):
        digest = _file_hash(root / name, size, report)
        done += size
        lines.append(f"{digest}  {name}\n".encode())
    report(0)
    if len(lines) == 1:
        return lines[0][:64].decode()
    return hashlib.sha256(b"".join(sorted(lines))).hexdigest()


def _files(path: Path, files: Sequence[str] | None) -> tuple[Path, tuple[str, ...]]:
    if files is None:
        from workbench.library.inspect import layout_of

        layout = layout_of(path)
        return layout.root, layout.files
    root = path if path.is_dir() else path.parent
    return root, tuple(name.replace("\\", "/") if os.name == "nt" else name for name in files) or (path.name,)


def _size(path: Path) -> int:
    from workbench.library.sniff import stat_of

    return stat_of(path).st_size


def _file_hash(path: Path, size: int, report: Callable[[int], None]) -> str:
    from workbench.errors import ModelFileError
    from workbench.library.sniff import stat_of, unreadable

    before = stat_of(path)
    digest = hashlib.sha256()
    block = memoryview(bytearray(_CHUNK))
    done = 0
    try:
        with path.open("rb", buffering=0) as file:
            while count := file.readinto(block):
                digest.update(block[:count])
                done += count
                report(min(done, size))
    except OSError as error:
        raise unreadable(path, error) from error
    after = stat_of(path)
    if done != size or (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise ModelFileError(path, "it changed while it was read.", remedy="Wait until it is complete.")
    return digest.hexdigest()


def main(arguments: Sequence[str]) -> int:
    """Hash one model and print how far it is. Returns the exit code: 0 done, 1 failed, 2 wrong use."""
    from workbench.errors import WorkbenchError

    follow = FOLLOW in arguments
    named = [each for each in arguments if each != FOLLOW]
    if not named:
        _say({"error": "Usage: python -m workbench.library.hashing PATH [FILE…]"})
        return 2
    _give_way()
    files = json.loads(sys.stdin.readline()) if follow else named[1:] or None
    if follow:
        _end_with_parent()
    last = 0.0

    def report(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _INTERVAL_S:
            last = now
            _say({"done": done, "total": total})

    try:
        _say({"sha256": content_hash(Path(named[0]), files, report)})
    except WorkbenchError as error:
        _say({"error": str(error)})
        return 1
    return 0


def _say(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def _give_way() -> None:
    """Work at low priority; on Windows the parent starts the process so."""
    if sys.platform != "win32":
        os.nice(10)


def _end_with_parent() -> None:
    import threading

    def wait() -> None:
        sys.stdin.buffer.read()
        os._exit(3)

    threading.Thread(target=wait, daemon=True).start()


def __getattr__(name: str) -> Any:
    """`HashQueue` and `HashProgress` live next door, so that the process need not import the library."""
    if name in {"HashQueue", "HashProgress"}:
        from workbench.library import hash_queue

        return getattr(hash_queue, name)
    raise AttributeError(name)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
