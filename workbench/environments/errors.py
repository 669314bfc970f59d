"""What can go wrong with an environment."""

from __future__ import annotations

from workbench.errors import WorkbenchError


class OwnEnvironmentError(WorkbenchError):
    """An environment can't be made: no network, no such version, requirements that exclude each other."""

    kind = "environment"
