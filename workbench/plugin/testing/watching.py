"""Runs a job's script, and writes down each file that it opens, makes, moves or removes: LOG JOB.PY WORDS.

Python tells an audit hook of all that goes through it; native code is found out by looking at folders.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
from pathlib import Path
from typing import Any

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
#: For each event that changes a folder: which arguments are paths, and which say what these are relative to.
_CHANGES = {
    "os.mkdir": ((0, 2),),
    "os.remove": ((0, 1),),
    "os.rmdir": ((0, 1),),
    "os.rename": ((0, 2), (1, 3)),
    "os.link": ((1, 3),),
    "os.symlink": ((1, 2),),
}


def words(log: Path) -> list[str]:
    """What stands between the interpreter and `job.py`."""
    return ["-m", "workbench.plugin.testing.watching", str(log)]


def touched(log: Path) -> list[Path]:
    """Every path that was written down, in order."""
    if not log.exists():
        return []
    return [Path(json.loads(line)) for line in log.read_text(encoding="utf-8").splitlines()]


def main(argv: list[str]) -> None:
    """Become the job's script."""
    log, script, *rest = argv
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    seen: set[str] = set()

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        for path in _paths(event, arguments):
            if path not in seen:
                seen.add(path)
                os.write(descriptor, json.dumps(path).encode() + b"\n")

    sys.argv = [script, *rest]
    sys.path[0] = str(Path(script).parent)
    sys.addaudithook(hook)
    runpy.run_path(script, run_name="__main__")


def _paths(event: str, arguments: tuple[Any, ...]) -> list[str]:
    if event == "open":
        path, _mode, flags = arguments
        writes = isinstance(flags, int) and flags & _WRITING
        return _whole(path) if writes else []
    found = []
    for place, folder in _CHANGES.get(event, ()):
        relative = arguments[folder] if folder < len(arguments) else -1
        # A name relative to an open folder is left out: its folder was opened by a path that is known.
        if relative in (-1, None):
            found += _whole(arguments[place])
    return found


def _whole(path: Any) -> list[str]:
    if not isinstance(path, str | bytes | os.PathLike):
        return []  # a descriptor that is open already
    return [os.path.abspath(os.fsdecode(path))]  # noqa: PTH100 - nothing is looked up inside a hook


if __name__ == "__main__":
    main(sys.argv[1:])
