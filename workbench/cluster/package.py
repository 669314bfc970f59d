"""Makes the packages that a cluster unpacks on its nodes: Tenfold itself, a job's script, its inputs."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from workbench.cluster.request import PIECE_FOLDER, REQUEST, Request
from workbench.errors import NotFoundError
from workbench.jobs.loading import FILE_PREFIX
from workbench.jobs.spec import JobSpec
from workbench.packing.archive import Content, write_zip
from workbench.packing.sources import module_files


def package_name(content: bytes) -> str:
    """What a cluster calls a package: by its content, so that it is sent and unpacked once."""
    return name_of_hash(hashlib.sha256(content).hexdigest())


def name_of_hash(sha256: str) -> str:
    return f"_ray_pkg_tenfold_{sha256[:40]}.zip"


def code_package(plugins: Iterable[str]) -> bytes:
    """The engine room as it is here, and the packages of plugins: so a node computes what is computed here.

    Raises:
        NotFoundError: A plugin's module is not installed here.
    """
    tops = ["workbench"]
    tops += [each.partition(".")[0] for each in plugins if not each.startswith(FILE_PREFIX)]
    files: dict[str, Content] = {}
    for top in dict.fromkeys(tops):
        code = dict(module_files(top))
        if not code:
            raise NotFoundError(f"The package {top} is not installed here, so it can't be sent along.")
        files |= code
    return _zip(files)


def job_package(folder: Path, spec: JobSpec, plugins: Path, request: Request) -> bytes:
    """What is of one job alone: its script, its plugins where they are single files, and the request.

    Raises:
        NotFoundError: The plugin's file is gone.
    """
    files: dict[str, Content] = {
        "job.py": (folder / "job.py").read_bytes(),
        REQUEST: msgspec.json.encode(request),
    }
    for plugin in spec.plugins:
        if not plugin.startswith(FILE_PREFIX):
            continue
        name = plugin.removeprefix(FILE_PREFIX)
        try:
            files[name] = (plugins / name).read_bytes()
        except OSError as error:
            raise NotFoundError(f"The plugin {name} is no longer in {plugins}.") from error
    return _zip(files)


def piece_package(piece: bytes, sha256: str) -> bytes:
    """A piece of the files that a job takes along. Weights don't shrink, so it is stored as it is."""
    return _zip({f"{PIECE_FOLDER}/{sha256}": piece}, stored=True)


def _zip(files: Mapping[str, Content], *, stored: bool = False) -> bytes:
    target = io.BytesIO()
    write_zip(target, files, stored=stored)
    return target.getvalue()
