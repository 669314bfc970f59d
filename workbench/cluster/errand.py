"""Small jobs on the node of a job: to leave it a word, and to clear up after it."""

from __future__ import annotations

import shlex
import time

from workbench.cluster.client import RayJobs
from workbench.cluster.request import Arrival

#: An errand that takes longer is left to itself.
_LIMIT_S = 30.0
_TICK_S = 0.25
#: A node that has only just come is listed so much later at most; one that is gone never again.
_LISTED_S = 10.0
#: So little of a node that an errand runs on it even when all its CPUs are taken.
_SHARE = 0.001

_PAUSE = "import pathlib, sys; pathlib.Path(sys.argv[1], 'request').write_text('pause')"
_CLEAR = """\
import pathlib, shutil, sys
for each in map(pathlib.Path, sys.argv[1:]):
    each.unlink() if each.is_symlink() else shutil.rmtree(each, ignore_errors=True)
"""


def ask_to_pause(client: RayJobs, submission: str, node: str, folder: str) -> None:
    """Leave a job the word that it is to pause, where its worker looks for it."""
    _run(client, f"{submission}-pause", node, _PAUSE, folder)


def clear(client: RayJobs, submission: str, node: str, arrival: Arrival) -> None:
    """Remove a job's folder from its node, and the link through which it was seen."""
    _run(client, f"{submission}-clear", node, _CLEAR, *dict.fromkeys((arrival.seen, arrival.folder)))


def _run(client: RayJobs, errand: str, node: str, code: str, *folders: str) -> None:
    listed_by = time.monotonic() + _LISTED_S
    while (address := _address_of(client, node)) is None:
        if time.monotonic() > listed_by:
            return
        time.sleep(_TICK_S)
    words = [client.place.python, "-c", code, *folders]
    client.submit(
        {
            "entrypoint": " ".join(shlex.quote(each) for each in words),
            "submission_id": errand,
            "entrypoint_resources": {f"node:{address}": _SHARE},
            "metadata": {"job_name": "Tenfold's errand"},
        }
    )
    end = time.monotonic() + _LIMIT_S
    while time.monotonic() < end:
        info = client.job(errand)
        if info is None or info.ended:
            break
        time.sleep(_TICK_S)
    client.forget(errand)


def _address_of(client: RayJobs, node: str) -> str | None:
    """A node's IP address, by which Ray lets a job choose it; None where the node is gone."""
    for each in client.nodes():
        raylet = each.get("raylet") or {}
        if raylet.get("nodeId") == node and raylet.get("state") == "ALIVE":
            return str(raylet.get("nodeManagerAddress") or each.get("ip"))
    return None
