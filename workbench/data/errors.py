"""What can be wrong with a dataset as a whole."""

from __future__ import annotations

from workbench.errors import WorkbenchError


class DataError(WorkbenchError):
    """A dataset can't be used as it is."""

    kind = "data"


class BadRowError(ValueError):
    """One row can't be used; the text says why, as one sentence for a person."""
