"""Clusters in the Settings: added with a test, asked in a process of its own, tokens in the keyring alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from tests.fixtures.memory_keyring import MemoryKeyring
from ui.context import AppContext
from ui.pages.settings import SettingsPage
from ui.panels.settings.place_dialog import PlaceDialog
from ui.panels.settings.places import in_words
from ui.widgets.place_choice import PlaceChoice
from workbench import secrets
from workbench.cluster.place import Place

#: The discard port: nothing listens there.
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def page(context: AppContext, qtbot: QtBot, own_keyring: MemoryKeyring) -> Iterator[SettingsPage]:
    made = SettingsPage(context)
    qtbot.addWidget(made)
    made.show()
    yield made
    made.places.rest()
    made.hide()


def test_a_place_is_kept_and_its_token_is_in_the_keyring_alone(
    page: SettingsPage, context: AppContext, own_keyring: MemoryKeyring
) -> None:
    page.places.keep(Place(name="lab", address=NOWHERE), "s3cret-token")

    assert [each.name for each in context.session.settings.load().places] == ["lab"]
    assert secrets.get("place:lab") == "s3cret-token"
    root = context.session.home.root
    files = [path for path in root.rglob("*") if path.is_file()]
    assert files and not any(b"s3cret-token" in path.read_bytes() for path in files)
    row = page.places._rows["lab"]
    row.remove.click()
    assert context.session.settings.load().places == ()
    assert own_keyring.kept == {}


def test_a_place_that_cant_be_reached_says_why(page: SettingsPage, qtbot: QtBot) -> None:
    page.places.keep(Place(name="lab", address=NOWHERE), "")
    row = page.places._rows["lab"]

    qtbot.waitUntil(lambda: row.state.text() == "no connection", timeout=20_000)
    assert "can't be reached" in row.figures.text()
    assert "Check the address" in row.figures.text()


def test_a_cluster_is_added_only_after_it_answered(qtbot: QtBot, own_keyring: MemoryKeyring) -> None:
    dialog = PlaceDialog(frozenset({"taken"}))
    qtbot.addWidget(dialog)
    dialog.show()
    for name, address, word in (
        ("taken", NOWHERE, "already"),
        ("lab", "head:8265", "begins with http://"),
        ("no name", NOWHERE, "letters"),
        ("lab", NOWHERE, "can't be reached"),
    ):
        dialog.name.setText(name)
        dialog.address.setText(address)
        dialog.add_button.click()
        qtbot.waitUntil(lambda word=word: word in dialog.problem.accessibleName(), timeout=20_000)
        assert dialog.result() != PlaceDialog.DialogCode.Accepted
    dialog.stop()


def test_what_is_free_is_told_in_words() -> None:
    answer = json.loads(
        '{"place": "lab", "ray": "2.60.0", "nodes": 2, "cpus": {"total": 8, "free": 6}, "waiting": 1,'
        '"gpus": {"total": 0, "free": 0}, "memory_bytes": {"total": 64000000000, "free": 32000000000}}'
    )

    words = in_words(answer)

    assert "2 nodes · 6 of 8 CPUs free · no GPU" in words
    assert "1 waiting" in words


def test_the_choice_is_there_only_with_places(qtbot: QtBot, tmp_path: Path) -> None:
    choice = PlaceChoice()
    qtbot.addWidget(choice)
    assert choice.isHidden() and choice.chosen() == ""

    choice.set_places((Place(name="lab", address=NOWHERE), Place(name="room", address=NOWHERE)))
    choice.combo.setCurrentIndex(2)
    assert choice.chosen() == "room"
    choice.set_places((Place(name="room", address=NOWHERE),))
    assert choice.chosen() == "room"
    choice.set_places(())
    assert choice.chosen() == ""
