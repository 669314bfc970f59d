"""Asks places what they have and what is free: `python -m workbench.cluster.ask [--every SECONDS]`.

Prints one JSON object a line and place, so that a window never waits for a network. The places come in
`TENFOLD_PLACES`, and what they want to see in `TENFOLD_PLACE_SECRETS`, both as JSON. It ends with its parent:
when standard input does.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from pydantic import TypeAdapter

from workbench.cluster.client import RayJobs
from workbench.cluster.errors import PlaceError
from workbench.cluster.place import PLACES_VARIABLE, SECRETS_VARIABLE, Place, headers_of

_GPU = "GPU"
_MIB = 1 << 20


class Amount(msgspec.Struct, frozen=True):
    """How much there is of something, and how much of that is free; None where the cluster doesn't say."""

    total: float
    free: float | None = None


class Answer(msgspec.Struct, frozen=True):
    """What a place said.

    Attributes:
        place: Its name.
        ray: The version of Ray that it runs; empty where it could not be reached.
        cpus: CPUs by Ray's count, which jobs reserve.
        gpus: The same of GPUs.
        memory_bytes: Memory as the nodes measure it.
        roomiest_bytes: The memory of the node that has most of it free: what one process can get.
        roomiest_gpu_bytes: The same of GPUs; nothing where none tells.
        waiting: Jobs that wait there for their turn.
        problem: Why there is no answer.
        remedy: What can be done about that.
    """

    place: str
    ray: str = ""
    nodes: int = 0
    cpus: Amount = Amount(0)
    gpus: Amount = Amount(0)
    memory_bytes: Amount = Amount(0)
    roomiest_bytes: Amount = Amount(0)
    roomiest_gpu_bytes: Amount = Amount(0)
    waiting: int = 0
    problem: str = ""
    remedy: str = ""


def ask(place: Place, secret: str | None) -> Answer:
    """Ask one place; what goes wrong is part of the answer."""
    client = RayJobs(place, headers_of(secret))
    try:
        version = client.version()
        alive = [each for each in client.nodes() if (each.get("raylet") or {}).get("state") == "ALIVE"]
        usage = _usage(client.cluster_status())
        memory = [each["mem"] for each in alive if len(each.get("mem") or ()) >= 2]
        return Answer(
            place=place.name,
            ray=version,
            nodes=len(alive),
            cpus=_amount("CPU", usage, alive),
            gpus=_amount(_GPU, usage, alive),
            memory_bytes=Amount(sum(each[0] for each in memory), sum(each[1] for each in memory)),
            roomiest_bytes=_roomiest([Amount(each[0], each[1]) for each in memory]),
            roomiest_gpu_bytes=_roomiest([gpu for each in alive for gpu in _gpus(each)]),
            waiting=client.waiting(),
        )
    except PlaceError as error:
        return Answer(place.name, problem=error.message, remedy=error.remedy)


def _roomiest(amounts: Sequence[Amount]) -> Amount:
    return max(amounts, key=lambda each: each.free or 0.0, default=Amount(0, 0.0))


def _gpus(node: Mapping[str, Any]) -> list[Amount]:
    """The memory of a node's GPUs, which Ray tells in MiB."""
    found = []
    for each in node.get("gpus") or ():
        total, used = each.get("memoryTotal"), each.get("memoryUsed")
        if isinstance(total, int | float) and isinstance(used, int | float):
            found.append(Amount(total * _MIB, max(0.0, (total - used) * _MIB)))
    return found


def _usage(status: Mapping[str, Any]) -> Mapping[str, Any]:
    """What is reserved, by resource: pairs of used and total. Ray's newer autoscaler keeps it elsewhere."""
    report = (status.get("clusterStatus") or {}).get("loadMetricsReport") or {}
    usage = report.get("usage")
    return usage if isinstance(usage, dict) else {}


def _amount(name: str, usage: Mapping[str, Any], nodes: Sequence[Mapping[str, Any]]) -> Amount:
    total = sum(float((each["raylet"].get("resourcesTotal") or {}).get(name, 0)) for each in nodes)
    used = usage.get(name)
    if isinstance(used, list) and len(used) == 2:
        return Amount(total, max(0.0, total - float(used[0])))
    return Amount(total, None if total else 0.0)


def main(argv: Sequence[str] | None = None) -> int:
    """See the module."""
    parser = argparse.ArgumentParser(prog="workbench.cluster.ask")
    parser.add_argument("--every", type=float, metavar="SECONDS", help="ask again and again")
    every = parser.parse_args(argv).every
    places = TypeAdapter(tuple[Place, ...]).validate_json(os.environ.get(PLACES_VARIABLE, "[]"))
    secrets = json.loads(os.environ.pop(SECRETS_VARIABLE, "{}"))
    if every:
        threading.Thread(target=_end_with_parent, daemon=True).start()
    rounds = threading.Event()
    while True:
        for place in places:
            sys.stdout.write(msgspec.json.encode(ask(place, secrets.get(place.name))).decode() + "\n")
            sys.stdout.flush()
        if not every:
            return 0
        rounds.wait(every)


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    raise SystemExit(main())
