"""Runs every operation as a job and as its script in a clean environment: `bench_clean_scripts.py [NAME …]`.

Each in a process of its own, as the window and as a person elsewhere do; prints a table of the hashes. Takes
about five minutes on two cores.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.fixtures.clean_environment import make_clean_environment
from tests.fixtures.script_pairs import NOT_HERE, RUN, Pair, make_pair, run_all, same_content
from workbench.cli.answer import table
from workbench.home import Home
from workbench.session import Session

_HEAD = ["OPERATION", "IN THE WINDOW", "SCRIPT", "SAME", "SECONDS"]
_SHOWN = 12


def main(names: list[str]) -> None:
    rows = []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        place = Path(temporary).resolve()
        clean = make_clean_environment(place / "env")
        with Session.open(Home(place / "home"), supervise=False) as session:
            for case in RUN:
                if names and case.operation not in names:
                    continue
                folder = place / case.operation
                folder.mkdir()
                begun = time.monotonic()
                row = _compared(make_pair(session, case, folder), folder, clean)
                rows.append([case.operation, *row, f"{time.monotonic() - begun:.0f}"])
                print(*rows[-1], file=sys.stderr, flush=True)
    print(table(_HEAD, rows))
    for name, reason in NOT_HERE.items():
        print(f"{name}: not run: {reason}")


def _compared(pair: Pair, folder: Path, clean: Path) -> list[str]:
    for python, line in ((sys.executable, pair.job), (clean, pair.script)):
        (code,), said = run_all(python, [line], folder)
        if code != 0:
            return ["", "", f"failed: {said.strip().splitlines()[-1]}"]
    here, there = pair.result(pair.folder), pair.result(pair.away)
    differs = same_content(pair.folder / here.path, pair.away / there.path) or ["yes, but for times"]
    same = "yes, to the byte" if here.sha256 == there.sha256 else "; ".join(differs)
    return [here.sha256[:_SHOWN], there.sha256[:_SHOWN], same]


if __name__ == "__main__":
    main(sys.argv[1:])
