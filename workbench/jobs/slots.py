"""Decides which waiting jobs may start: so many on the CPU, so many downloads, one on each GPU."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from workbench.jobs.spec import Slot

#: Jobs elsewhere that are followed at once. Each takes a small process here; the queue is at its place.
_PLACE_SLOTS = 16


@dataclass(frozen=True, slots=True)
class Waiting:
    """A job that waits: `queued_at` is when it last began to."""

    id: str
    needs: Slot
    queued_at: float


@dataclass(frozen=True, slots=True)
class Held:
    """A slot that a job has: `gpu` is the device where it is a GPU's."""

    needs: Slot
    gpu: int | None = None


@dataclass(frozen=True, slots=True)
class Start:
    """A job that may start now, and the GPU that it gets."""

    id: str
    gpu: int | None = None


def may_start(
    waiting: Sequence[Waiting],
    held: Iterable[Held],
    *,
    cpu_slots: int,
    network_slots: int,
    gpus: Sequence[int],
    failed_at: float | None = None,
) -> list[Start]:
    """The jobs that may start now, in the order of the queue.

    Without a GPU a job that asks for one takes a CPU slot: it is slow there, but it works.

    Args:
        waiting: The queue, first job first.
        held: The slots that are taken.
        gpus: The indices of this machine's GPUs.
        failed_at: When a job failed that holds up all that waited then; None where none does.
    """
    taken = [each if gpus or each.needs != "gpu" else Held("cpu") for each in held]
    free = {
        "cpu": cpu_slots - sum(each.needs == "cpu" for each in taken),
        "network": network_slots - sum(each.needs == "network" for each in taken),
        "place": _PLACE_SLOTS - sum(each.needs == "place" for each in taken),
    }
    busy = {each.gpu for each in taken if each.needs == "gpu"}
    # A GPU job whose device is not known might be on any of them.
    idle = [] if None in busy else [index for index in gpus if index not in busy]
    starts: list[Start] = []
    for job in waiting:
        if failed_at is not None and job.queued_at <= failed_at:
            continue
        needs: Slot = job.needs if gpus or job.needs != "gpu" else "cpu"
        if needs == "gpu":
            if idle:
                starts.append(Start(job.id, idle.pop(0)))
        elif free[needs] > 0:
            free[needs] -= 1
            starts.append(Start(job.id))
    return starts
