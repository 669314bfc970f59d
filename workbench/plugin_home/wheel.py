"""Reads, checks and unpacks a wheel; nothing of it is run, and no claim in it is believed."""

from __future__ import annotations

import base64
import csv
import hashlib
import hmac
import io
import stat
import struct
import sys
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from packaging.tags import sys_tags
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from workbench.errors import PluginError
from workbench.plugin_home.facts import MOST_METADATA_BYTES, FileFacts, PackageFacts, from_metadata

#: A plugin drives backends and brings none; these bounds are far above any honest one.
_MOST_WHEEL_BYTES = 200_000_000
_MOST_UNPACKED_BYTES = 1_000_000_000
_MOST_FILES = 20_000
_PIECE = 1 << 20
#: Names that would come before Tenfold's own modules, or Python's, where the plugin is imported.
_RESERVED = frozenset({"workbench", "ui", "plugins", *sys.stdlib_module_names})
_WINDOWS_NAMES = frozenset(
    {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}
)
#: What `zipfile` raises for bytes that are no such archive.
_DAMAGED = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, RuntimeError, ValueError, OverflowError)
_UNSIGNED = ("RECORD", "RECORD.jws", "RECORD.p7s")


def read_wheel(path: Path) -> PackageFacts:
    """What a wheel says of itself, after its content has been checked.

    Raises:
        PluginError: It is damaged, unsafe, made for another system, or no plugin of Tenfold.
    """
    name = _checked_file_name(path)
    with _opened(path) as archive:
        info = _Content(archive, name)
        facts = from_metadata(
            info.text("METADATA"),
            info.text("entry_points.txt", optional=True),
            source="wheel",
            path=path,
            digest=digest_of(path),
            files=[FileFacts(name=each.filename, size_bytes=each.file_size) for each in info.files],
        )
    if canonicalize_name(facts.name) != name:
        raise PluginError(f"{path.name} holds another package than its name says: {facts.name}.")
    return facts


def unpack(path: Path, target: Path) -> None:
    """Write a wheel's modules below a folder, each checked against the hash that the wheel names.

    Scripts, headers and data that it would put elsewhere are left out: a plugin needs none.

    Raises:
        PluginError: As `read_wheel`, or a file is not what the wheel's record says.
    """
    name = _checked_file_name(path)
    with _opened(path) as archive:
        content = _Content(archive, name)
        record = content.record()
        target.mkdir(parents=True, exist_ok=True)
        for each in content.files:
            place = content.place_of(each.filename)
            if place is not None:
                _write(archive, each, target.joinpath(*place.parts), record.get(each.filename))


def digest_of(path: Path) -> str:
    """The sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_top_names(names: Sequence[str]) -> None:
    """Refuse modules that would take the place of Tenfold's or Python's own.

    Raises:
        PluginError: Its message names one.
    """
    for name in names:
        top = name.partition("/")[0].removesuffix(".py")
        if top in _RESERVED:
            raise PluginError(
                f"It brings a module named “{top}”, which would take the place of another.",
                remedy="Its author must give the module another name.",
            )


class _Content:
    """The checked list of a wheel's files."""

    def __init__(self, archive: zipfile.ZipFile, name: str) -> None:
        self._archive = archive
        entries = archive.infolist()
        if len(entries) > _MOST_FILES:
            raise PluginError(f"It holds more than {_MOST_FILES:,} files.")
        self.files = [each for each in entries if not each.is_dir()]
        if sum(each.file_size for each in self.files) > _MOST_UNPACKED_BYTES:
            raise PluginError(f"Unpacked it is larger than {_MOST_UNPACKED_BYTES / 1e9:.0f} GB.")
        seen: set[str] = set()
        for each in entries:
            _check_entry(each)
            if each.filename.casefold() in seen:
                raise PluginError(f"It holds “{each.filename[:200]}” twice.")
            seen.add(each.filename.casefold())
        self._folder = self._dist_info(name)
        self._data = f"{self._folder.removesuffix('.dist-info')}.data"
        placed = [place for each in self.files if (place := self.place_of(each.filename)) is not None]
        check_top_names([str(place) for place in placed])

    def text(self, name: str, *, optional: bool = False) -> str:
        try:
            entry = self._archive.getinfo(f"{self._folder}/{name}")
        except KeyError:
            if optional:
                return ""
            raise PluginError(f"It has no {name}.") from None
        if entry.file_size > MOST_METADATA_BYTES:
            raise PluginError(f"Its {name} is longer than anyone can read.")
        return _read(self._archive, entry, MOST_METADATA_BYTES).decode("utf-8", "replace")

    def record(self) -> dict[str, str]:
        """What each file must hash to, as `algorithm=digest`."""
        rows = csv.reader(io.StringIO(self.text("RECORD")))
        found = {row[0]: row[1] for row in rows if len(row) >= 2}
        unsigned = {f"{self._folder}/{name}" for name in _UNSIGNED}
        for each in self.files:
            if each.filename not in unsigned and not found.get(each.filename, "").startswith("sha256="):
                raise PluginError(f"Its record has no hash for “{each.filename[:200]}”.")
        return {name: value for name, value in found.items() if name not in unsigned}

    def place_of(self, name: str) -> PurePosixPath | None:
        """Where a file goes below the folder of modules; None where it goes nowhere."""
        place = PurePosixPath(name)
        if place.parts[0] != self._data:
            return place
        if len(place.parts) > 2 and place.parts[1] in ("purelib", "platlib"):
            return PurePosixPath(*place.parts[2:])
        return None

    def _dist_info(self, name: str) -> str:
        found = {each.filename.partition("/")[0] for each in self.files if ".dist-info/" in each.filename}
        folders = [each for each in found if each.endswith(".dist-info")]
        if len(folders) != 1 or canonicalize_name(folders[0].partition("-")[0]) != name:
            raise PluginError(
                "It does not hold the description of exactly the package that it is named after."
            )
        return folders[0]


def _checked_file_name(path: Path) -> str:
    try:
        name, _version, _build, tags = parse_wheel_filename(path.name)
    except InvalidWheelFilename as error:
        raise PluginError(
            f"{path.name[:200]} is not named like a wheel.", remedy="A wheel is called NAME-VERSION-….whl."
        ) from error
    if tags.isdisjoint(sys_tags()):
        raise PluginError(
            f"{path.name} is made for another system or another Python.", remedy="Get the wheel for this one."
        )
    return name


def _opened(path: Path) -> zipfile.ZipFile:
    try:
        if path.stat().st_size > _MOST_WHEEL_BYTES:
            raise PluginError(f"{path.name} is larger than {_MOST_WHEEL_BYTES / 1e6:.0f} MB.")
        return zipfile.ZipFile(path)
    except OSError as error:
        raise PluginError(f"{path.name} can't be read: {error.strerror or error}.") from error
    except _DAMAGED as error:
        raise PluginError(f"{path.name} is damaged, or no wheel: {error}.") from error


def _check_entry(entry: zipfile.ZipInfo) -> None:
    name = entry.filename
    parts = name.rstrip("/").split("/")
    # `:` names a drive or a stream on Windows, `\` is a separator there.
    unsafe = any(part in ("", ".", "..") or part.endswith((" ", ".")) for part in parts) or any(
        sign in name for sign in ("\\", ":", "\0")
    )
    reserved = any(part.partition(".")[0].casefold() in _WINDOWS_NAMES for part in parts)
    if unsafe or reserved or not name.isprintable():
        raise PluginError(f"It holds a file that would be written elsewhere: {name[:200]!r}.")
    mode = stat.S_IFMT(entry.external_attr >> 16)
    if mode not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise PluginError(f"It holds a link or a device: “{name[:200]}”.")
    if entry.flag_bits & 0x1 or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise PluginError("It is encrypted, or packed in a way that wheels are not.")


def _write(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, expected: str | None) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    total, found = 0, hashlib.sha256()
    with target.open("xb") as file:
        for piece in _pieces(archive, entry):
            total += len(piece)
            if total > entry.file_size:
                raise PluginError(f"“{entry.filename}” is longer than the wheel says.")
            found.update(piece)
            file.write(piece)
    if expected is not None:
        digest = base64.urlsafe_b64encode(found.digest()).rstrip(b"=").decode()
        if not hmac.compare_digest(expected.rstrip("="), f"sha256={digest}"):
            raise PluginError(
                f"“{entry.filename}” is not what the wheel's record says.", remedy="Get the wheel again."
            )


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, most: int) -> bytes:
    text = b""
    for piece in _pieces(archive, entry):
        text += piece
        if len(text) > most:
            raise PluginError(f"“{entry.filename}” is longer than the wheel says.")
    return text


def _pieces(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[bytes]:
    try:
        with archive.open(entry) as file:
            while piece := file.read(_PIECE):
                yield piece
    except (*_DAMAGED, OSError) as error:
        raise PluginError(f"“{entry.filename[:200]}” in it is damaged: {error}.") from error
