"""Finds where llama.cpp keeps a weight of a model, by sending numbered entries through its converter."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.plugin import ModelFileError


@dataclass(frozen=True)
class Place:
    """Where a two-dimensional weight is in a GGUF file, and how its entries are ordered there.

    Attributes:
        name: The tensor's name.
        rows: Which row of the weight each of its rows is in the GGUF file (or each column, where `turned`).
        columns: The same for columns.
        turned: Whether rows and columns change places.
    """

    name: str
    rows: Any
    columns: Any
    turned: bool


def place_of(converter: Any, model: Path, tensor: str, shape: tuple[int, int]) -> Place:
    """Where a weight goes, seen from what the converter makes of a matrix that holds the numbers of its rows,
    and of one with the numbers of its columns.

    Converters reorder rows (the halves of rotary embeddings), turn matrices around, and pack or split some
    weights; the last two a low-rank change can't follow.

    Args:
        tensor: The weight's name in the model's files.

    Raises:
        ModelFileError: The weight does not become one tensor with the same entries.
    """
    import torch

    if max(shape) > 1 << 24:
        raise _unplaced(model, tensor, "it is too large")  # float32 can't number the rows any more
    row_numbers = torch.arange(shape[0], dtype=torch.float32).unsqueeze(1).expand(shape).contiguous()
    name, by_row = _converted(converter, model, tensor, row_numbers)
    column_numbers = torch.arange(shape[1], dtype=torch.float32).expand(shape).contiguous()
    same, by_column = _converted(converter, model, tensor, column_numbers)
    if name != same or not name.endswith(".weight"):
        raise _unplaced(model, tensor, f"it becomes {name}")
    for turned in (False, True):
        by_rows, by_columns = (by_row.T, by_column.T) if turned else (by_row, by_column)
        if tuple(by_rows.shape) == shape:
            rows, columns = by_rows[:, 0], by_columns[0]
            if (
                bool((by_rows == rows.unsqueeze(1)).all())
                and bool((by_columns == columns).all())
                and _is_order(rows)
                and _is_order(columns)
            ):
                return Place(name, rows.long(), columns.long(), turned)
    raise _unplaced(model, tensor, "its numbers are changed on the way")


def _converted(converter: Any, model: Path, tensor: str, numbers: Any) -> tuple[str, Any]:
    kept = converter.filter_tensors((tensor, lambda: numbers))
    if kept is None:
        raise _unplaced(model, tensor, "it leaves it out")
    name = kept[0]
    block = next((int(part) for part in name.split(".") if part.isdecimal()), None)
    try:
        made = list(converter.modify_tensors(numbers, name, block))
    except Exception as error:  # each architecture has its own code, which asserts what it expects
        raise _unplaced(model, tensor, f"it fails: {type(error).__name__}: {error}") from error
    if len(made) != 1:
        raise _unplaced(model, tensor, f"it becomes {len(made)} tensors, or part of a larger one")
    return str(made[0][0]), made[0][1]


def _is_order(numbers: Any) -> bool:
    """Whether numbers are 0, 1, 2, … in any order."""
    import torch

    return bool((numbers.sort().values == torch.arange(len(numbers))).all())


def _unplaced(model: Path, tensor: str, reason: str) -> ModelFileError:
    return ModelFileError(
        model,
        f"llama.cpp does not keep {tensor} as one matrix of its own, so no adapter can change it there "
        f"({reason}).",
        remedy="Merge the adapter into the model instead, and convert the result.",
    )
