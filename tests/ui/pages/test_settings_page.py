"""The Settings page: every choice is kept at once, and a wrong one is explained."""

from __future__ import annotations

from pathlib import Path

import keyring
import pytest
from keyring.backends.fail import Keyring as NoKeyring
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from ui.context import AppContext
from ui.pages.settings import SettingsPage
from workbench.settings import Preferences

pytestmark = pytest.mark.usefixtures("own_keyring")


@pytest.fixture
def page(context: AppContext, qtbot: QtBot) -> SettingsPage:
    made = SettingsPage(context)
    qtbot.addWidget(made)
    made.resize(1100, 900)
    made.show()
    return made


def test_every_choice_is_in_the_database_as_soon_as_it_is_made(
    page: SettingsPage, context: AppContext
) -> None:
    page.cpu_slots.setValue(3)
    page.network_slots.setValue(4)
    page.all_cores.setChecked(False)
    page.threads.setValue(5)
    page.go_on.setChecked(False)
    page.on_quit.setCurrentIndex(1)
    page.on_quit.activated.emit(1)
    page.folders.add_folder(Path("/models/mine"))

    assert context.session.settings.load() == Preferences(
        cpu_slots=3,
        network_slots=4,
        threads=5,
        go_on_after_error=False,
        keep_jobs_on_quit=False,
        extra_model_folders=("/models/mine",),
    ).model_copy(update={"extra_model_folders": (str(Path("/models/mine")),)})


def test_the_theme_changes_with_the_choice(page: SettingsPage, context: AppContext) -> None:
    page.theme.setCurrentIndex(page.theme.findData("light"))
    page.theme.activated.emit(page.theme.currentIndex())

    assert context.theme.mode == "light"
    assert not context.theme.tokens.is_dark
    assert context.session.settings.load().theme == "light"


def test_a_fresh_page_shows_what_was_kept(page: SettingsPage, context: AppContext, qtbot: QtBot) -> None:
    context.session.settings.save(
        Preferences(
            cpu_slots=7, threads=2, hub_endpoint="https://hub.example", extra_model_folders=("/a", "/b")
        )
    )

    page.refresh()

    assert page.cpu_slots.value() == 7
    assert not page.all_cores.isChecked()
    assert page.threads.value() == 2
    assert page.endpoint.text() == "https://hub.example"
    assert page.folders.view.count() == 2


@pytest.mark.parametrize(
    "typed", ["hub.example.org", "ftp://hub.example", "https://", "https://a:b@hub.example"]
)
def test_a_wrong_address_is_explained_and_not_kept(
    page: SettingsPage, context: AppContext, qtbot: QtBot, typed: str
) -> None:
    page.endpoint.setText(typed)
    page.endpoint.editingFinished.emit()

    assert page._endpoint_problem.isVisible()
    assert page._endpoint_problem.text()
    assert context.session.settings.load().hub_endpoint == ""

    page.endpoint.setText("https://hub.example/")
    page.endpoint.editingFinished.emit()
    assert not page._endpoint_problem.isVisible()
    assert context.session.settings.load().hub_endpoint == "https://hub.example"


def test_the_token_is_kept_in_the_keyring_and_never_shown(page: SettingsPage, qtbot: QtBot) -> None:
    page.token.refresh()
    assert page.token.state.text() == "not set"

    page.token.keep("hf_verysecret")

    assert page.token.state.text() == "set"
    assert keyring.get_password("tenfold", "hf-token") == "hf_verysecret"
    assert not any("verysecret" in each.text() for each in page.findChildren(QLabel))
    page.token.remove_button.click()
    assert page.token.state.text() == "not set"


def test_a_machine_without_a_keyring_says_what_to_do(
    page: SettingsPage, context: AppContext, qtbot: QtBot
) -> None:
    keyring.set_keyring(NoKeyring())

    with qtbot.waitSignal(context.message) as told:
        page.token.keep("hf_abc")

    assert told.args[0] == "bad"
    assert "HF_TOKEN" in told.args[1]


def test_a_folder_is_removed_by_the_delete_key(page: SettingsPage, context: AppContext, qtbot: QtBot) -> None:
    page.folders.add_folder(Path("/models/a"))
    page.folders.add_folder(Path("/models/b"))
    page.folders.add_folder(Path("/models/b"))
    assert page.folders.view.count() == 2
    page.folders.view.setCurrentRow(0)

    qtbot.keyClick(page.folders.view, Qt.Key.Key_Delete)

    assert context.session.settings.load().extra_model_folders == (str(Path("/models/b")),)


def test_versions_can_be_copied_and_the_licence_read(page: SettingsPage) -> None:
    page.about.copy.click()
    page.about.licences.click()

    copied = QGuiApplication.clipboard().text()
    assert copied.startswith("Tenfold ")
    assert "Qt for Python" in copied
    assert "SIL OPEN FONT LICENSE" in page.about._text.toPlainText()
