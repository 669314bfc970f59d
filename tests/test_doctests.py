"""Runs the examples that stand in docstrings."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[1]


def _modules_with_examples() -> list[str]:
    found = []
    for package in ("workbench", "ui", "plugins"):
        for path in sorted((_ROOT / package).rglob("*.py")):
            if ">>> " in path.read_text(encoding="utf-8"):
                found.append(".".join(path.relative_to(_ROOT).with_suffix("").parts))
    return found


@pytest.mark.parametrize("name", _modules_with_examples())
def test_examples_are_true(name: str) -> None:
    outcome = doctest.testmod(importlib.import_module(name))

    assert outcome.attempted > 0
    assert outcome.failed == 0
