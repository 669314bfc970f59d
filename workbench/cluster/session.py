"""Connects this process to Ray: to the cluster that its job runs in, or to one of this machine alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from workbench.errors import MissingExtraError

#: Memory that the object store of a cluster of this machine takes: what is passed around is small.
_STORE_BYTES = 80_000_000


@contextmanager
def ray_session(workers: int) -> Iterator[Any]:
    """Ray, for as long as the work takes; a cluster that was started for it ends with it.

    Args:
        workers: How many processes a cluster of this machine may run at once, whatever its cores.

    Raises:
        MissingExtraError: Ray is not installed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Workers stay in the folder of the process that began, beside whose script its files may lie.
    os.environ.setdefault("RAY_CHDIR_TO_TRIAL_DIR", "0")
    try:
        import ray
    except ImportError as error:
        raise MissingExtraError("Ray, which starts several workers,", "ray") from error
    own: dict[str, Any] = {}
    if is_alone():
        own = {"num_cpus": workers, "include_dashboard": False, "object_store_memory": _STORE_BYTES}
    ray.init(os.environ.get("RAY_ADDRESS") or "local", log_to_driver=False, logging_level="ERROR", **own)
    try:
        yield ray
    finally:
        ray.shutdown()


def is_alone() -> bool:
    """Whether this process runs outside of any cluster, so that workers share this machine."""
    return not os.environ.get("RAY_ADDRESS")


def threads_of_worker(threads: int, workers: int) -> int:
    """The threads of each of several workers, where one process has so many."""
    return max(1, threads // workers) if is_alone() else threads
