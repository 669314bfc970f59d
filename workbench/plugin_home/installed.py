"""The packages that are installed into a home: a folder each, with what is known of it beside its modules."""

from __future__ import annotations

import json
from pathlib import Path

from packaging.utils import canonicalize_name
from pydantic import BaseModel, ConfigDict, ValidationError

from workbench.environments.requirements import unfulfilled
from workbench.errors import WorkbenchError
from workbench.home import Home
from workbench.plugin_home.facts import EntryPointFacts, PackageFacts

_RECORD = "package.json"
_MOST_RECORD_BYTES = 16 << 20


class InstalledPackage(BaseModel):
    """One package as it was installed; `origin` is the wheel, folder or name that it was installed from."""

    model_config = ConfigDict(frozen=True)

    name: str
    version: str
    summary: str
    author: str
    licence: str
    home_page: str
    entry_points: tuple[EntryPointFacts, ...]
    requires: tuple[str, ...]
    size_bytes: int
    digest: str
    origin: str
    installed_at: float
    folder: Path = Path()

    @property
    def site(self) -> Path:
        """The folder that its modules are imported from."""
        return self.folder / "site"

    def missing(self) -> tuple[str, ...]:
        """What it requires and Tenfold's environment does not fulfil now."""
        try:
            return unfulfilled(self.requires)
        except WorkbenchError:
            # Tenfold itself was changed since; what the plugin then does shows when it is imported.
            return ()


def folder_of(home: Home, name: str) -> Path:
    """Where a package lies, or would lie."""
    return home.installed_plugins / canonicalize_name(name)


def installed_packages(home: Home) -> list[InstalledPackage]:
    """All packages of a home, by name."""
    if not home.installed_plugins.is_dir():
        return []
    found = [_read(folder) for folder in sorted(home.installed_plugins.iterdir()) if folder.is_dir()]
    return [each for each in found if each is not None]


def write_record(folder: Path, facts: PackageFacts, *, origin: str, installed_at: float) -> None:
    """Write down what was installed into a folder."""
    package = InstalledPackage(
        name=facts.name,
        version=facts.version,
        summary=facts.summary,
        author=facts.author,
        licence=facts.licence,
        home_page=facts.home_page,
        entry_points=facts.entry_points,
        requires=facts.requires,
        size_bytes=facts.size_bytes,
        digest=facts.digest[:32],
        origin=origin,
        installed_at=installed_at,
    )
    text = json.dumps(package.model_dump(mode="json", exclude={"folder"}), ensure_ascii=False, indent=1)
    (folder / _RECORD).write_text(text, encoding="utf-8")


def _read(folder: Path) -> InstalledPackage | None:
    file = folder / _RECORD
    try:
        if file.stat().st_size > _MOST_RECORD_BYTES:
            return None
        package = InstalledPackage.model_validate_json(file.read_bytes())
    except (OSError, ValidationError):
        return None
    return package.model_copy(update={"folder": folder})
