"""Figures as rows and columns, and their text for files and for the clipboard."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

Value = str | float | int | None


@dataclass(frozen=True, slots=True)
class Table:
    """Figures with the names of their columns; a figure that is missing is None."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]


def csv_text(table: Table, *, tabs: bool = False) -> str:
    """The table as comma-separated values, or with tabs as spreadsheets paste them."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t" if tabs else ",", lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows(["" if each is None else each for each in row] for row in table.rows)
    return text.getvalue()
