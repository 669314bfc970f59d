"""Keeps standard output for what a process has to say to the one that started it."""

from __future__ import annotations

import os
import sys
from typing import BinaryIO


def private_output() -> BinaryIO:
    """What stands for standard output now, unbuffered: whatever libraries print goes to standard error."""
    private = os.dup(1)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return os.fdopen(private, "wb", buffering=0)
