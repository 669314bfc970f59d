"""The short form of the kill script; its long form is run by hand, with 200 kills of each kind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_random_kills_leave_no_orphan_and_no_half_published_model(tiny_gguf: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "tests.e2e.kill_jobs", "--kills", "5", "--seed", "7", "--model", tiny_gguf],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr
