"""Preferences survive a restart, and rubbish in the database."""

from __future__ import annotations

from workbench.settings import Preferences, Settings
from workbench.store.database import Store
from workbench.store.tables import SettingRow


def test_new_home_has_the_defaults(store: Store) -> None:
    assert Settings(store).load() == Preferences()


def test_saved_preferences_are_loaded_again(store: Store) -> None:
    chosen = Preferences(theme="dark", cpu_slots=3, extra_model_folders=("a", "b"))

    Settings(store).save(chosen)

    assert Settings(store).load() == chosen


def test_unreadable_value_falls_back_to_its_default_alone(store: Store) -> None:
    Settings(store).save(Preferences(theme="dark", cpu_slots=3))
    with store.transaction() as session:
        session.merge(SettingRow(key="cpu_slots", value='"many"'))
        session.merge(SettingRow(key="from_the_future", value="{}"))

    assert Settings(store).load() == Preferences(theme="dark", cpu_slots=1)


def test_broken_json_falls_back_to_the_default(store: Store) -> None:
    with store.transaction() as session:
        session.merge(SettingRow(key="theme", value="{"))

    assert Settings(store).load().theme == "system"
