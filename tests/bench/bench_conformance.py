"""Runs the conformance check on all bundled operations and prints a table: `bench_conformance.py [NAME …]`.

Takes about ten minutes on two cores: four jobs an operation, each with a backend to import.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.plugins.conformance_cases import CASES
from workbench.cli.answer import table
from workbench.plugin.testing import check_operation

_HEAD = [
    "OPERATION",
    "declared",
    "parameters",
    "runs",
    "events",
    "files",
    "reproducible",
    "cancel",
    "SECONDS",
]
_MARKS = {"passed": "✓", "failed": "✗", "not applicable": "–"}


def main(names: list[str]) -> None:
    rows, reasons = [], []
    for case in CASES:
        if names and case.operation not in names:
            continue
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
            folder = Path(temporary).resolve()
            begun = time.monotonic()
            found = check_operation(
                "plugins." + _MODULES.get(case.operation, case.operation.replace("-", "_")),
                case.operation,
                folder=folder / "check",
                model=case.model(folder),
                values=case.values(folder),
            )
            took = time.monotonic() - begun
        verdicts = {check.name: _MARKS[check.verdict] for check in found.checks}
        rows.append([case.operation, *(verdicts.get(name, "–") for name in _HEAD[1:-1]), f"{took:.0f}"])
        reasons += [
            f"{case.operation}: {check.name}: {check.reason}"
            for check in found.checks
            if check.verdict != "passed"
        ]
        print(found.text(), file=sys.stderr, flush=True)
    print(table(_HEAD, rows))
    print("\n".join(reasons))


_MODULES = {"prove": "prove_model"}

if __name__ == "__main__":
    main(sys.argv[1:])
