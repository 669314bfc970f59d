"""Which of several processes this is that run one script together, as `mlx.launch` starts them."""

from __future__ import annotations

import os
from pathlib import Path

#: What says so: `mlx.launch`, and Open MPI, which it can start its processes with.
_VARIABLES = ("MLX_RANK", "OMPI_COMM_WORLD_RANK")


def launch_rank() -> int:
    """0 for the first process, which leads, and for one that was started alone."""
    for name in _VARIABLES:
        value = os.environ.get(name, "")
        if value.isdigit():
            return int(value)
    return 0


def folder_of_rank(folder: Path, rank: int) -> Path:
    """A job's folder for one that does not lead: its own, beside the leader's, gone when it ends."""
    return folder.with_name(f"{folder.name}.rank-{rank}") if rank else folder


def folder_of_leader(folder: Path) -> Path:
    """The leader's folder, from the one of any of its processes."""
    return folder.with_name(folder.name.removesuffix(f".rank-{launch_rank()}"))
