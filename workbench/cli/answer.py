"""What a command returns: the same answer for a person and for a program."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Answer:
    """Attributes:
    text: For a person; empty where there is nothing to say.
    data: For a program; printed with `--json`.
    code: The exit code.
    """

    text: str
    data: dict[str, Any] = field(default_factory=dict)
    code: int = 0


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Columns that line up; numbers should come as text with their unit.

    >>> print(table(["NAME", "SIZE"], [["a", "1 MB"], ["long", "20 MB"]]))
    NAME  SIZE
    a     1 MB
    long  20 MB
    """
    lines = [list(head), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def size(count: float) -> str:
    """Bytes in the unit that suits them, in powers of ten.

    >>> size(98_400_000)
    '98.4 MB'
    """
    for unit, factor in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= factor:
            return f"{count / factor:.3g} {unit}" if count < 100 * factor else f"{count / factor:.0f} {unit}"
    return f"{count:.0f} B"
