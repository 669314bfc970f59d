"""Hands a job over: sends what the cluster lacks, and submits it through the Jobs API."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from workbench.cluster.client import RayJobs
from workbench.cluster.errors import PlaceError
from workbench.cluster.inputs import all_there, inputs_of, send, sent_bytes
from workbench.cluster.package import code_package, job_package, name_of_hash, package_name
from workbench.cluster.request import Request
from workbench.cluster.submission import Submission
from workbench.cluster.voice import Voice
from workbench.jobs.spec import JobSpec

#: What a job may take to let go of everything after it was asked to stop; Ray's own limit is 3 seconds.
_STOP_WAIT_S = 20
#: How often everything is sent again where the cluster lost some of it while the rest was sent.
_MAX_ROUNDS = 5

_T = TypeVar("_T")


def hand_over(
    client: RayJobs,
    spec: JobSpec,
    folder: Path,
    submission: Submission,
    voice: Voice,
    again: Callable[[Callable[[], Any]], Any],
    *,
    resume: bool,
) -> None:
    """Submit a job.

    Args:
        again: Calls something until the cluster answers.
        resume: Whether to go on from the checkpoints here.

    Raises:
        PlaceError: The cluster refuses it, or it is too much to send.
        JobCancelled, JobPaused: The person asked for it meanwhile.
    """
    place = client.place
    voice.stand(f"Getting ready for {place.name}.")
    inputs, roots = inputs_of(spec, place, folder, resume=resume)
    label = f"Sending to {place.name}"

    def report(done: int, total: int) -> None:
        voice.progress(done, total, label)

    voice.tell(f"{sent_bytes(inputs) / 1e6:.1f} MB of {len(inputs)} inputs are sent to {place.name}.")
    for _ in range(_MAX_ROUNDS):
        pieces = again(lambda: send(client, inputs, roots, report))
        request = Request(
            submission=submission.id,
            folder=place.folder,
            inputs=tuple(inputs),
            pieces=tuple(pieces),
            threads=max(1, int(place.cpus)),
            resume=resume or bool(submission.previous),
            previous=submission.previous,
        )
        packages = [code_package(spec.plugins), job_package(folder, spec, _plugins(folder), request)]
        again(partial(_put, client, packages))
        # A piece that nothing refers to is dropped after ten minutes, and a slow line takes longer.
        if again(partial(all_there, client, pieces)):
            break
    else:
        raise PlaceError(
            f"{place.name} drops what is sent to it before all of it is there.",
            remedy="Keep the model in a folder that the cluster sees too, and name it in the settings of the "
            "place as a shared folder.",
        )
    voice.check()
    body = _body(spec, client, submission, [package_name(each) for each in packages], pieces)
    again(lambda: _submit(client, submission.id, body))


def _plugins(folder: Path) -> Path:
    """The home's folder of single-file plugins, from the folder of one of its jobs."""
    return folder.parent.parent / "plugins"


def _put(client: RayJobs, packages: Sequence[bytes]) -> None:
    for content in packages:
        name = package_name(content)
        if not client.has_package(name):
            client.put_package(name, content)


def _submit(client: RayJobs, submission: str, body: dict[str, Any]) -> None:
    """Submit once: where the answer to an earlier try was lost on the line, the job is there already."""
    if client.job(submission) is None:
        client.submit(body)


def _body(
    spec: JobSpec, client: RayJobs, submission: Submission, packages: list[str], pieces: list[str]
) -> dict[str, Any]:
    place = client.place
    code, job = packages
    environment: dict[str, Any] = {
        "working_dir": f"gcs://{job}",
        "py_modules": [f"gcs://{each}" for each in (code, *map(name_of_hash, dict.fromkeys(pieces)))],
        "env_vars": {"RAY_JOB_STOP_WAIT_TIME_S": str(_STOP_WAIT_S), "PYTHONUNBUFFERED": "1"},
    }
    if spec.requires:
        environment["pip"] = list(spec.requires)
    body: dict[str, Any] = {
        "entrypoint": f"{shlex.quote(place.python)} -m workbench.cluster.agent",
        "submission_id": submission.id,
        "runtime_env": environment,
        "metadata": {"job_name": spec.title},
        "entrypoint_num_cpus": place.cpus,
    }
    if spec.needs == "gpu":
        body["entrypoint_num_gpus"] = place.gpus
    return body
