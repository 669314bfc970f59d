"""Imports a result for a window: `python -m workbench.export.import_process SOURCE [JOB]`.

One JSON object a line: `{"done", "total", "what"}` while it goes on, then `{"job", "known"}`, or `{"error"}`.
A process of its own, because many gigabytes may have to be copied and hashed.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from workbench.errors import WorkbenchError
from workbench.export.importing import import_result
from workbench.home import Home
from workbench.session import Session

#: Between two reports, in seconds: as often as an eye sees.
_INTERVAL_S = 0.1


def main(argv: Sequence[str]) -> int:
    """Import one result into the home that `TENFOLD_HOME` names."""
    source, *job = argv
    try:
        with Session.open(Home.find(), supervise=False) as session:
            spec = session.board.spec(job[0]) if job else None
            taken = import_result(session, Path(source), spec, tell=_Reports())
    except WorkbenchError as error:
        said = {"kind": error.kind, "message": error.message, "remedy": error.remedy}
        _say({"error": {**said, "details": error.details}})
        return 1
    _say({"job": taken.job_id, "known": taken.known})
    return 0


class _Reports:
    """Passes on how far it is, no more often than anyone can see."""

    def __init__(self) -> None:
        self._next = 0.0

    def __call__(self, done: float, total: float, what: str) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _INTERVAL_S
            _say({"done": done, "total": total, "what": what})


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
