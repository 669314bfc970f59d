"""A look into the catalogue: it goes on while the page is shown, and is due as long as it has not ended."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from pytestqt.qtbot import QtBot

from tests.fixtures.entries import PLUGINS
from ui.catalogue_look import CatalogueLook
from workbench.catalogue import Catalogue, CatalogueContents
from workbench.errors import WorkbenchError
from workbench.home import Home

_WAIT_MS = 60_000


@pytest.fixture
def catalogue(home: Home) -> Iterator[Catalogue]:
    """With a plugin that has to be looked at, in a process."""
    shutil.copy(PLUGINS / "steps.py", home.plugins)
    made = Catalogue(home)
    yield made
    made.close()


def _names(found: CatalogueContents) -> set[str]:
    return {each.name for each in found.operations}


def test_look_that_was_left_is_due_until_it_ends(catalogue: Catalogue, qtbot: QtBot) -> None:
    look = CatalogueLook(catalogue)
    heard: list[CatalogueContents] = []
    look.found.connect(heard.append)
    assert look.is_due

    look.begin()
    look.rest()
    assert look.is_due and heard == []

    look.begin()
    qtbot.waitUntil(lambda: bool(heard), timeout=_WAIT_MS)
    assert "steps" in _names(heard[0])
    assert not look.is_due


def test_changed_plugin_is_due(catalogue: Catalogue, home: Home, qtbot: QtBot) -> None:
    look = CatalogueLook(catalogue)
    with qtbot.waitSignal(look.found, timeout=_WAIT_MS):
        look.begin()
    (home.plugins / "steps.py").unlink()
    assert look.is_due

    with qtbot.waitSignal(look.found, timeout=_WAIT_MS) as heard:
        look.begin()

    assert heard.args is not None and "steps" not in _names(heard.args[0])


def test_failure_ends_the_look_and_leaves_it_due(
    catalogue: Catalogue, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = CatalogueLook(catalogue)

    def fail() -> None:
        raise WorkbenchError("The disk is full.")

    monkeypatch.setattr(catalogue, "poll_refresh", fail)

    with qtbot.waitSignal(look.failed, timeout=_WAIT_MS) as heard:
        look.begin()

    assert heard.args is not None and str(heard.args[0]) == "The disk is full."
    assert look.is_due
