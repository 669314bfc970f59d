"""Which environments jobs work in now."""

from __future__ import annotations

from workbench.environments.environment import key_of
from workbench.errors import WorkbenchError
from workbench.jobs.board import JobBoard


def keys_in_use(board: JobBoard) -> frozenset[str]:
    """The keys of the environments of running jobs, which must not be deleted under them."""
    found = set()
    for job in board.list(states=("running",)):
        try:
            requires = board.spec(job.id).requires
            if requires:
                found.add(key_of(requires))
        except WorkbenchError:
            # A job whose spec can't be read has no environment either.
            continue
    return frozenset(found)
