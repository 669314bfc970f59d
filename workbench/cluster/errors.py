"""What can go wrong between this computer and a cluster."""

from __future__ import annotations

from workbench.errors import WorkbenchError


class PlaceError(WorkbenchError):
    """A place refused what was asked of it, or answered something that no Ray cluster does."""

    kind = "place"


class ConnectionLostError(PlaceError):
    """A place can't be reached now; trying again may help."""

    kind = "connection"
