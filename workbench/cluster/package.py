"""Makes the packages that a cluster unpacks on its nodes: Tenfold itself, a job's script, its inputs."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from workbench.cluster.request import PIECE_FOLDER, REQUEST, Request
from workbench.errors import NotFoundError
from workbench.jobs.loading import FILE_PREFIX
from workbench.jobs.spec import JobSpec

#: The earliest date that a zip can hold; the same content must make the same file.
_DATE = (1980, 1, 1, 0, 0, 0)
_LEFT_OUT = frozenset({"__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache"})


def package_name(content: bytes) -> str:
    """What a cluster calls a package: by its content, so that it is sent and unpacked once."""
    return name_of_hash(hashlib.sha256(content).hexdigest())


def name_of_hash(sha256: str) -> str:
    return f"_ray_pkg_tenfold_{sha256[:40]}.zip"


def code_package(plugin: str) -> bytes:
    """The engine room as it is here, and the package of the plugin: so a node computes what is computed here.

    Raises:
        NotFoundError: The plugin's module is not installed here.
    """
    tops = ["workbench"]
    if not plugin.startswith(FILE_PREFIX):
        tops.append(plugin.partition(".")[0])
    files: dict[str, bytes] = {}
    for top in dict.fromkeys(tops):
        files |= {name: path.read_bytes() for name, path in _files_of_module(top)}
    return _zip(files, zipfile.ZIP_DEFLATED)


def job_package(folder: Path, spec: JobSpec, plugins: Path, request: Request) -> bytes:
    """What is of one job alone: its script, its plugin where that is a single file, and the request.

    Raises:
        NotFoundError: The plugin's file is gone.
    """
    files = {"job.py": (folder / "job.py").read_bytes(), REQUEST: msgspec.json.encode(request)}
    if spec.plugin.startswith(FILE_PREFIX):
        name = spec.plugin.removeprefix(FILE_PREFIX)
        try:
            files[name] = (plugins / name).read_bytes()
        except OSError as error:
            raise NotFoundError(f"The plugin {name} is no longer in {plugins}.") from error
    return _zip(files, zipfile.ZIP_DEFLATED)


def piece_package(piece: bytes, sha256: str) -> bytes:
    """A piece of the files that a job takes along. Weights don't shrink, so it is stored as it is."""
    return _zip({f"{PIECE_FOLDER}/{sha256}": piece}, zipfile.ZIP_STORED)


def _files_of_module(top: str) -> Iterable[tuple[str, Path]]:
    found = importlib.util.find_spec(top)
    if found is None or (found.origin is None and not found.submodule_search_locations):
        raise NotFoundError(f"The package {top} is not installed here, so it can't be sent along.")
    if not found.submodule_search_locations:
        path = Path(str(found.origin))
        return [(path.name, path)]
    root = Path(next(iter(found.submodule_search_locations)))
    return [
        (f"{top}/{path.relative_to(root).as_posix()}", path)
        for path in sorted(root.rglob("*"))
        if path.is_file() and not _LEFT_OUT.intersection(path.parts) and path.suffix not in (".pyc", ".pyo")
    ]


def _zip(files: Mapping[str, bytes], compression: int) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", compression) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _DATE)
            entry.compress_type = compression
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, files[name])
    return target.getvalue()
