"""The worker here of a job that runs in a cluster: hands it over, follows it, and brings back what it made.

`python -m workbench.cluster.remote_job --job-dir FOLDER` is to the runner what `job.py` is: it holds the
folder's lock, writes events, ends with a last word. Killed and started again, it finds the job by what
`place.json` in the folder says.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
from filelock import FileLock, Timeout

from workbench.cluster.client import RayJobs
from workbench.cluster.follow import RemoteJob
from workbench.cluster.place import PLACE_VARIABLE, SECRET_VARIABLE, Place, headers_of
from workbench.errors import WorkbenchError
from workbench.jobs import exits
from workbench.jobs import folder as job_folder
from workbench.jobs.stop_requests import Requests


def main(argv: Sequence[str] | None = None) -> int:
    """See the module. Returns the exit code that `job.py` would have had."""
    parser = argparse.ArgumentParser(prog="remote_job")
    parser.add_argument("--job-dir", type=Path, required=True)
    parser.add_argument("--resume", action="store_true")
    arguments = parser.parse_args(argv)
    folder: Path = arguments.job_dir.absolute()
    place = Place.model_validate_json(os.environ[PLACE_VARIABLE])
    headers = headers_of(os.environ.pop(SECRET_VARIABLE, None))
    lock = FileLock(folder / "worker.lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        sys.stderr.write(f"The job in {folder} is at work already.\n")
        return exits.FAILED
    try:
        requests = Requests(folder)
        requests.listen()
        spec = job_folder.read_spec(folder)
        return RemoteJob(folder, spec, RayJobs(place, headers), requests, resume=arguments.resume).run()
    except (WorkbenchError, msgspec.MsgspecError) as error:
        sys.stderr.write(f"{error}\n")
        return exits.FAILED
    finally:
        lock.release()


if __name__ == "__main__":
    raise SystemExit(main())
