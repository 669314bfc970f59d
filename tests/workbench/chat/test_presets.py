from __future__ import annotations

import pytest

from workbench.chat.presets import BUILT_IN, Preset, Presets
from workbench.engines.request import Sampling
from workbench.errors import UsageError
from workbench.store.database import Store
from workbench.store.tables import SettingRow


def test_own_presets_follow_the_built_in_ones_by_name(store: Store) -> None:
    presets = Presets(store)
    presets.keep(Preset(name=" poet ", sampling=Sampling(temperature=1.4), system="Rhyme."))
    presets.keep(Preset(name="Clerk", sampling=Sampling(temperature=0.1)))

    names = [each.name for each in Presets(store).all()]

    assert names == [*(each.name for each in BUILT_IN), "Clerk", "poet"]
    assert Presets(store).own()[1].system == "Rhyme."


def test_a_preset_of_the_same_name_is_replaced(store: Store) -> None:
    presets = Presets(store)
    presets.keep(Preset(name="Poet", sampling=Sampling(temperature=1.4)))
    presets.keep(Preset(name="poet", sampling=Sampling(temperature=0.9)))

    assert [each.sampling.temperature for each in presets.own()] == [0.9]
    presets.forget("poet")
    presets.forget("poet")
    assert presets.own() == ()


@pytest.mark.parametrize("name", ["", "   ", "x" * 61, "balanced"])
def test_names_that_cannot_be_kept_are_refused(store: Store, name: str) -> None:
    with pytest.raises(UsageError):
        Presets(store).keep(Preset(name=name, sampling=Sampling()))


def test_what_another_version_wrote_is_not_an_error(store: Store) -> None:
    with store.transaction() as session:
        session.merge(SettingRow(key="chat.presets", value='[{"name": 3}]'))

    assert Presets(store).all() == BUILT_IN
