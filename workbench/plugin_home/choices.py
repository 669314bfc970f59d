"""What the person chose about plugins: which are switched off, and which folders are being developed."""

from __future__ import annotations

import os
from pathlib import Path

from filelock import FileLock
from pydantic import BaseModel, ConfigDict, ValidationError

from workbench.home import Home

_MOST_BYTES = 4 << 20


class Choices(BaseModel):
    """Attributes:
    disabled: Plugins by their names in specs (a module, or `file:NAME.py`); they are not imported.
    linked: Folders of plugins that are being developed, used where they lie.
    """

    model_config = ConfigDict(frozen=True)

    disabled: frozenset[str] = frozenset()
    linked: tuple[Path, ...] = ()


def read_choices(home: Home) -> Choices:
    """The choices of a home; where the file can't be read, nothing is switched off and nothing linked."""
    file = _file(home)
    try:
        if file.stat().st_size > _MOST_BYTES:
            return Choices()
        return Choices.model_validate_json(file.read_bytes())
    except (OSError, ValidationError):
        return Choices()


def set_enabled(home: Home, plugin: str, *, enabled: bool) -> None:
    """Switch a plugin on or off."""
    with _locked(home):
        kept = read_choices(home)
        disabled = kept.disabled - {plugin} if enabled else kept.disabled | {plugin}
        _write(home, kept.model_copy(update={"disabled": disabled}))


def add_link(home: Home, folder: Path) -> None:
    """Use a plugin's folder where it lies."""
    with _locked(home):
        kept = read_choices(home)
        if folder not in kept.linked:
            _write(home, kept.model_copy(update={"linked": (*kept.linked, folder)}))


def remove_link(home: Home, folder: Path) -> None:
    """Use a plugin's folder no longer."""
    with _locked(home):
        kept = read_choices(home)
        _write(home, kept.model_copy(update={"linked": tuple(e for e in kept.linked if e != folder)}))


def _file(home: Home) -> Path:
    return home.plugins / "choices.json"


def _locked(home: Home) -> FileLock:
    home.plugins.mkdir(parents=True, exist_ok=True)
    return FileLock(home.plugins / "choices.lock")


def _write(home: Home, choices: Choices) -> None:
    draft = _file(home).with_suffix(".new")
    draft.write_text(choices.model_dump_json(indent=1), encoding="utf-8")
    os.replace(draft, _file(home))  # noqa: PTH105 - the one atomic step
