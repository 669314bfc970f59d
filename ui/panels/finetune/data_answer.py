"""What `tenfold data … --json` says of a dataset, typed."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from workbench.data.fields import FileFields
from workbench.data.preview import PreviewRow
from workbench.data.report import DataReport
from workbench.errors import WorkbenchError
from workbench.tuning.defaults import Default
from workbench.tuning.estimate import TuningEstimate

_T = TypeVar("_T")


class DataAnswer(DataReport, frozen=True, kw_only=True):
    """The report of `data inspect`, with what it adds for a panel.

    Attributes:
        first_row: The number of the first example in `preview`, from 0.
        preview: Some examples, token by token.
        estimate: What a training would take on this machine, and what that rests on.
        defaults: Good values for the other parameters, with their reasons.
    """

    first_row: int = 0
    preview: tuple[PreviewRow, ...] = ()
    estimate: TuningEstimate | None = None
    defaults: tuple[Default, ...] = ()


class FieldsAnswer(msgspec.Struct, frozen=True):
    """What `data fields` says: the fields of each file."""

    files: tuple[FileFields, ...]


def recut(row: PreviewRow, limit: int) -> PreviewRow:
    """An example as it is seen with another cut-off: used where something of it is still learned."""
    sequences = tuple(
        tuple(
            token if token.cut == (place >= limit) else msgspec.structs.replace(token, cut=place >= limit)
            for place, token in enumerate(tokens)
        )
        for tokens in row.sequences
    )
    learns = all(any(token.trained for token in tokens[:limit]) for tokens in sequences)
    return msgspec.structs.replace(row, sequences=sequences, used=learns)


def typed(said: dict[str, object], kind: type[_T]) -> _T:
    """An answer of a child process.

    Raises:
        WorkbenchError: It is none of this kind.
    """
    try:
        return msgspec.convert(said, kind)
    except msgspec.ValidationError as error:
        raise WorkbenchError(f"What was found out about the data can't be read: {error}.") from error
