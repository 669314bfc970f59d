from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import atexit
from workbench.jobs.leaving import leave_at_once

class Slow:
    def __del__(self):
        print("taken apart")

kept = Slow()
atexit.register(print, "registered")
print("said")
leave_at_once(130)
"""


def test_what_was_registered_runs_and_nothing_is_taken_apart() -> None:
    ended = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)

    assert ended.returncode == 130
    assert ended.stdout.split() == ["said", "registered"]
