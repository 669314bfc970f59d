"""What a plugin's package says of itself, read without running any of it."""

from __future__ import annotations

import configparser
import email.parser
import platform
import re
from collections.abc import Mapping, Sequence
from email.message import Message
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from workbench.environments.requirements import normalized, parsed, unfulfilled
from workbench.errors import PluginError

GROUP = "tenfold.plugins"

#: No honest package describes itself at greater length.
MOST_METADATA_BYTES = 1 << 20
_MOST_SHOWN = 400
_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*\Z")

SourceKind = Literal["wheel", "folder", "file", "fetched"]


class EntryPointFacts(BaseModel):
    """One plugin of a package: the name of its entry point, and the module that it names."""

    model_config = ConfigDict(frozen=True)

    name: str
    module: str


class FileFacts(BaseModel):
    """One file of a package."""

    model_config = ConfigDict(frozen=True)

    name: str
    size_bytes: int


class PackageFacts(BaseModel):
    """What a person is shown before a package is installed.

    Attributes:
        source: A wheel, a folder, a single file, or one that was fetched by its name.
        path: Where it lies.
        digest: Of what was looked at, so that nothing else is installed than what was shown.
        requires: What it requires, as far as it holds on this machine.
        missing: Those that Tenfold lacks or has in another version: jobs then run in an environment of their
            own.
        files: All its files, for a wheel; those of a folder are known once it is built.
        builds: Whether installing it runs a build program that it brings or names.
    """

    model_config = ConfigDict(frozen=True)

    source: SourceKind
    path: Path
    digest: str
    name: str
    version: str
    summary: str = ""
    author: str = ""
    licence: str = ""
    home_page: str = ""
    requires_python: str = ""
    entry_points: tuple[EntryPointFacts, ...] = ()
    requires: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    files: tuple[FileFacts, ...] = ()
    size_bytes: int = 0
    builds: bool = False


def from_metadata(
    text: str,
    entry_points: str,
    *,
    source: SourceKind,
    path: Path,
    digest: str,
    files: Sequence[FileFacts] = (),
) -> PackageFacts:
    """The facts of a built package, from its `METADATA` and its `entry_points.txt`.

    Raises:
        PluginError: It is no plugin of Tenfold, is made for another Tenfold or Python, or is not well formed.
    """
    fields = email.parser.HeaderParser().parsestr(text)
    requires = normalized(str(each) for each in fields.get_all("Requires-Dist") or () if _is_base(str(each)))
    missing = unfulfilled(requires)
    facts = PackageFacts(
        source=source,
        path=path,
        digest=digest,
        name=_field(fields, "Name"),
        version=_field(fields, "Version"),
        summary=_field(fields, "Summary"),
        author=_field(fields, "Author") or _field(fields, "Author-email"),
        licence=_licence(fields),
        home_page=_field(fields, "Home-page") or _field(fields, "Project-URL").rpartition(", ")[2],
        requires_python=_field(fields, "Requires-Python"),
        entry_points=_entry_points(entry_points),
        requires=requires,
        missing=missing,
        files=tuple(files),
        size_bytes=sum(each.size_bytes for each in files),
    )
    check(facts)
    return facts


def check(facts: PackageFacts) -> None:
    """Refuse what can't be installed.

    Raises:
        PluginError: Its message says why.
    """
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,198}[A-Za-z0-9])?", facts.name):
        raise PluginError("It has no name that a package may have.")
    if not facts.entry_points:
        raise PluginError(
            f"{facts.name} is no plugin of Tenfold: it has no entry point in the group {GROUP}.",
            remedy="Ask its author; `tenfold plugin new` shows what a plugin looks like.",
        )
    python = platform.python_version()
    if facts.requires_python:
        specifier = parsed(f"python{facts.requires_python}").specifier
        if not specifier.contains(python, prereleases=True):
            raise PluginError(
                f"{facts.name} needs Python {facts.requires_python}, and Tenfold runs on {python}.",
                remedy="Install a version of the plugin that fits.",
            )


def entry_point_facts(points: Mapping[str, str]) -> tuple[EntryPointFacts, ...]:
    """Entry points of the group, checked.

    Raises:
        PluginError: One names no module.
    """
    found = []
    for name, value in points.items():
        module = value.partition(":")[0].partition("[")[0].strip()
        if not _MODULE.match(module):
            raise PluginError(f"The entry point “{shown(name)}” names no module: “{shown(value)}”.")
        found.append(EntryPointFacts(name=shown(name), module=module))
    return tuple(found)


def shown(text: str) -> str:
    """Text of a stranger that can be shown: one line, nothing that steers a terminal, not endless."""
    plain = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    return plain if len(plain) <= _MOST_SHOWN else f"{plain[: _MOST_SHOWN - 1]}…"


class _CaseKept(configparser.ConfigParser):
    """A reader of `entry_points.txt`, where names keep their case."""

    def optionxform(self, optionstr: str) -> str:
        return optionstr


def _entry_points(text: str) -> tuple[EntryPointFacts, ...]:
    reader = _CaseKept(delimiters=("=",), interpolation=None, strict=False)
    try:
        reader.read_string(text)
    except configparser.Error as error:
        raise PluginError("Its entry points can't be read.", details=str(error)) from error
    return entry_point_facts(dict(reader[GROUP]) if reader.has_section(GROUP) else {})


def _is_base(requirement: str) -> bool:
    """Whether a requirement belongs to the package itself and not to one of its extras."""
    marker = parsed(requirement).marker
    return marker is None or "extra" not in str(marker)


def _field(fields: Message, name: str) -> str:
    return shown(str(fields.get(name) or ""))


def _licence(fields: Message) -> str:
    stated = _field(fields, "License-Expression")
    if not stated:
        classifiers = [str(each) for each in fields.get_all("Classifier") or ()]
        names = [each.rpartition(" :: ")[2] for each in classifiers if each.startswith("License ::")]
        stated = shown(", ".join(names))
    if not stated:
        lines = str(fields.get("License") or "").strip().splitlines()
        stated = shown(lines[0]) if lines else ""
    return stated
