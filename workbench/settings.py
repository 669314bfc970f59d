"""The person's preferences, kept in the database."""

from __future__ import annotations

import json
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import select

from workbench.cluster.place import Place
from workbench.store.database import Store
from workbench.store.tables import SettingRow


class Preferences(BaseModel):
    """What a person can choose.

    Attributes:
        theme: `system` follows the desktop.
        cpu_slots: Jobs that compute on the CPU at the same time.
        network_slots: Downloads at the same time.
        threads: CPU threads that one job may use; None for all physical cores.
        go_on_after_error: Whether the queue goes on where a job failed.
        keep_jobs_on_quit: Whether running jobs go on after the window is closed.
        hub_endpoint: Another hub than the one that `HF_ENDPOINT` names.
        proof: How the results of operations are measured, unless chosen otherwise.
        places: Clusters that jobs may run on.
        extra_model_folders: Folders that “Find on this computer” also looks into.
    """

    model_config = ConfigDict(frozen=True)

    theme: Literal["system", "light", "dark"] = "system"
    cpu_slots: int = Field(1, ge=1, le=64)
    network_slots: int = Field(2, ge=1, le=16)
    threads: int | None = Field(None, ge=1, le=1024)
    go_on_after_error: bool = True
    keep_jobs_on_quit: bool = True
    hub_endpoint: str = ""
    proof: Literal["none", "quick", "full"] = "quick"
    places: tuple[Place, ...] = ()
    extra_model_folders: tuple[str, ...] = ()


class Settings:
    """Loads and saves the preferences; a value that can't be read falls back to its default."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def load(self) -> Preferences:
        with self._store.transaction() as session:
            stored = {row.key: row.value for row in session.scalars(select(SettingRow))}
        values: dict[str, object] = {}
        for name in Preferences.model_fields:
            if name in stored:
                values |= _readable(name, stored[name])
        return Preferences.model_validate(values)

    def save(self, preferences: Preferences) -> None:
        with self._store.transaction() as session:
            for name, value in preferences.model_dump(mode="json").items():
                session.merge(SettingRow(key=name, value=json.dumps(value)))


def _readable(name: str, text: str) -> dict[str, object]:
    """The stored value under its name, or nothing where another version wrote what this one can't take."""
    try:
        value = json.loads(text)
        Preferences.model_validate({name: value})
    except (ValueError, ValidationError):
        return {}
    return {name: value}
