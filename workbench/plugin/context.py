"""What a running operation has in hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable


@runtime_checkable
class JobContext(Protocol):
    """What a running operation has in hand. Every call returns quickly and may be made often."""

    @property
    def folder(self) -> Path:
        """The job's own folder; write nowhere else."""

    @property
    def out(self) -> Path:
        """Where results are built. What `run` returns is published from here, whole or not at all."""

    @property
    def checkpoints(self) -> Path:
        """Where the operation keeps what it needs to go on after a pause, a kill or a power cut."""

    @property
    def cache(self) -> Path:
        """Where an operation may keep what other jobs can use too; anything there may be deleted."""

    @property
    def seed(self) -> int:
        """The seed of every random choice."""

    @property
    def threads(self) -> int:
        """How many CPU threads this job may use."""

    @property
    def output_name(self) -> str:
        """A file name without ending for the result, for example `SmolLM2-135M-Q4_K_M`."""

    def progress(self, done: float, total: float, *, unit: str = "", label: str = "") -> None:
        """Report real progress: `done` of `total`, in `unit` (for example `tensors`).

        Raises:
            JobCancelled: The person cancelled.
            JobPaused: The person paused; checkpoint first, at points where `pausing` is true.
        """

    def metric(self, name: str, value: float, *, step: int | None = None, unit: str = "") -> None:
        """Report one figure of a series, for example `metric("kl", 0.04, step=3)`."""

    def sample(self, prompt: str, text: str, *, step: int, expected: str = "") -> None:
        """Report what a model in training answered at a step, and what would have been right."""

    def throughput(self, amount: float, *, unit: str) -> None:
        """Count work that was just done; the sampler turns it into `unit` per second, twice a second.

        The unit that is counted first is the job's throughput; others are shown beside it.
        """

    def log(self, text: str, *, level: Literal["info", "warning", "error"] = "info") -> None:
        """Write one line to the job's log."""

    def check(self) -> None:
        """Raise if the person cancelled or paused; call it between steps that report no progress.

        Raises:
            JobCancelled: The person cancelled.
            JobPaused: The person paused.
        """

    @property
    def pausing(self) -> bool:
        """Whether a pause was asked for, so that a checkpoint made now is the one to resume from."""

    def run_native(self, call: Callable[[], Any]) -> Any:
        """Run a native call that can't be interrupted, while the job still answers cancel and pause.

        The call runs in a thread. On cancel or pause the worker process ends without waiting for it.
        """

    def secret(self, name: str) -> str | None:
        """A secret such as `hf-token` from the environment or the keyring; never write it anywhere."""

    def reserve(self, path: Path, size_bytes: int) -> None:
        """Make sure that `size_bytes` are free where `path` lies.

        Raises:
            DiskFullError: They are not.
        """
