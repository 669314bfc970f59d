"""Writes zip files whose bytes follow from their content alone."""

from __future__ import annotations

import base64
import hashlib
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

#: The earliest date that a zip can hold.
_DATE = (1980, 1, 1, 0, 0, 0)
#: Packed already: to deflate weights and wheels again takes minutes and saves nothing.
_STORED = frozenset({".whl", ".gguf", ".safetensors", ".zip", ".parquet", ".gz"})
_BLOCK = 1 << 20

#: What a file of an archive is made from: its bytes, or a file here that may be large.
Content = bytes | Path


def write_zip(target: Path | BinaryIO, files: Mapping[str, Content], *, stored: bool = False) -> None:
    """Write files below their names, sorted, with one date and one mode.

    Args:
        stored: Leave everything as it is, also what is not known to be packed already.

    Raises:
        OSError: It can't be written, or a file can't be read.
    """
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, allowZip64=True) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _DATE)
            whole = stored or Path(name).suffix in _STORED
            entry.compress_type = zipfile.ZIP_STORED if whole else zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix on every system, so that the mode below means the same
            entry.external_attr = 0o644 << 16
            content = files[name]
            if isinstance(content, bytes):
                archive.writestr(entry, content)
                continue
            entry.file_size = content.stat().st_size
            with content.open("rb") as source, archive.open(entry, "w") as into:
                shutil.copyfileobj(source, into, _BLOCK)


def sha256_of(content: Content) -> bytes:
    """The digest of what stands in an archive."""
    if isinstance(content, bytes):
        return hashlib.sha256(content).digest()
    with content.open("rb") as source:
        return hashlib.file_digest(source, "sha256").digest()


def checksums(files: Mapping[str, Content]) -> bytes:
    """The lines of a `SHA256SUMS`, as `sha256sum -c` reads them."""
    return "".join(f"{sha256_of(files[name]).hex()}  {name}\n" for name in sorted(files)).encode()


def record(files: Mapping[str, Content], info: str) -> bytes:
    """A wheel's `RECORD`: each file with hash and size, of itself neither.

    Args:
        info: The wheel's folder of metadata.
    """
    lines = [_record_line(name, files[name]) for name in sorted(files)]
    return "".join([*lines, f"{info}/RECORD,,\n"]).encode()


def _record_line(name: str, content: Content) -> str:
    """A line of a wheel's `RECORD`."""
    digest = base64.urlsafe_b64encode(sha256_of(content)).rstrip(b"=").decode()
    size = len(content) if isinstance(content, bytes) else content.stat().st_size
    # As the csv module would write it: names with a comma or a quote are quoted.
    quoted = '"' + name.replace('"', '""') + '"' if "," in name or '"' in name else name
    return f"{quoted},sha256={digest},{size}\n"
