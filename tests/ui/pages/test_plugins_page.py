"""The Plugins page: what is there, whether it is on, and what a person is shown before one is installed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QLabel, QWidget
from pytestqt.qtbot import QtBot

from tests.fixtures.wheels import WHICH_VERSION, make_old_packaging, make_wheel
from ui.context import AppContext
from ui.models.plugin_list import PluginListModel, second_line, state_words
from ui.pages.optimize import OptimizePage
from ui.pages.plugins import PluginsPage
from ui.panels.plugins.install_dialog import InstallDialog
from ui.widgets.optimize_plan import OptimizePlan
from workbench.catalogue_entry import PluginRecord
from workbench.environments import environment
from workbench.environments.making import ensure
from workbench.home import Home
from workbench.plugin_home.choices import add_link, read_choices
from workbench.plugin_home.installing import RIGHTS

_PATIENCE_MS = 30_000
_GUESS = Path(__file__).parents[2] / "fixtures" / "plugins" / "guess.py"
_OLD = "packaging==20.4"


class _Silent:
    def log(self, text: str) -> None:
        return

    def progress(self, done: float, total: float, *, unit: str = "", label: str = "") -> None:
        return

    def check(self) -> None:
        return


@pytest.fixture
def page(home: Home, context: AppContext, qtbot: QtBot) -> Iterator[PluginsPage]:
    (home.plugins / "broken.py").write_text("raise ValueError('no such luck')\n")
    (home.plugins / "mine.py").write_text(WHICH_VERSION.format(name="which", requires=(_OLD,)))
    made = PluginsPage(context)
    qtbot.addWidget(made)
    made.resize(1100, 760)
    made.show()
    qtbot.waitUntil(lambda: made.model.rowCount() > 0 and not made.is_looking, timeout=_PATIENCE_MS)
    yield made
    made.hide()


def test_every_plugin_is_listed_and_the_persons_own_come_first(page: PluginsPage) -> None:
    rows = [page.model.plugin(row) for row in range(page.model.rowCount())]

    assert [each.title for each in rows[:2] if each is not None] == ["broken", "mine"]
    assert {"gguf-quantize", "finetune-torch"} <= {each.title for each in rows if each is not None}
    assert "1 failed" in page._summary.text() and "off" not in page._summary.text()


def test_a_broken_plugin_shows_its_traceback_folded_and_copies_it(page: PluginsPage) -> None:
    _choose(page, "broken")

    bar = page.detail.failure
    assert bar.isVisible() and not bar._details.isVisible()
    assert "no such luck" in bar.details and "broken.py" in bar.details
    bar._fold.click()
    bar._copy.click()
    assert QGuiApplication.clipboard().text() == bar.details
    assert page.detail.cards == []


def test_switching_off_takes_the_operation_away_at_once_and_on_brings_it_back(
    page: PluginsPage, context: AppContext, qtbot: QtBot
) -> None:
    _choose(page, "mine")
    assert [card.entry.name for card in page.detail.cards] == ["which"]

    with qtbot.waitSignal(context.plugins_changed):
        page.detail.switch.click()
    qtbot.waitUntil(lambda: "1 off" in page._summary.text(), timeout=_PATIENCE_MS)

    assert "which" not in {each.name for each in context.session.catalogue.load().operations}
    plugin = page.detail.plugin
    assert plugin is not None and not plugin.enabled and page.detail._off.isVisible()
    assert not page.detail.cards[0].open_button.isEnabled()
    page.detail.switch.click()
    qtbot.waitUntil(lambda: "off" not in page._summary.text(), timeout=_PATIENCE_MS)
    assert "which" in {each.name for each in context.session.catalogue.load().operations}


def test_an_edited_file_is_noticed_without_a_click(page: PluginsPage, home: Home, qtbot: QtBot) -> None:
    _choose(page, "broken")

    (home.plugins / "broken.py").write_text(WHICH_VERSION.format(name="mended", requires=()))

    qtbot.waitUntil(
        lambda: [card.entry.name for card in page.detail.cards] == ["mended"], timeout=_PATIENCE_MS
    )
    assert not page.detail.failure.isVisible()


def test_an_operation_is_opened_on_the_optimize_page(
    page: PluginsPage, context: AppContext, qtbot: QtBot
) -> None:
    _choose(page, "gguf-quantize")
    (card,) = page.detail.cards

    with qtbot.waitSignal(context.open_page) as asked:
        card.open_button.click()

    assert asked.args == ["optimize", (None, "gguf-quantize", None)]
    assert "default Q4_K_M" in _texts(card.parameters)


def test_the_optimize_page_follows_a_switch(
    page: PluginsPage, context: AppContext, home: Home, tiny_gguf: Path, qtbot: QtBot
) -> None:
    context.session.library.add(tiny_gguf)
    optimize = OptimizePage(context)
    qtbot.addWidget(optimize)
    optimize.show()
    qtbot.waitUntil(lambda: optimize.operations.row_of("gguf-quantize") >= 0, timeout=_PATIENCE_MS)
    optimize.hide()

    _choose(page, "gguf-quantize")
    page.detail.switch.click()
    qtbot.waitUntil(lambda: "1 off" in page._summary.text(), timeout=_PATIENCE_MS)
    page.hide()
    optimize.show()

    qtbot.waitUntil(lambda: optimize.operations.row_of("gguf-quantize") < 0, timeout=_PATIENCE_MS)
    optimize.hide()


def test_what_is_offered_beside_operations_is_shown_with_how_it_is_used(
    page: PluginsPage, home: Home, qtbot: QtBot
) -> None:
    shutil.copy(_GUESS, home.plugins)
    shutil.copy(_GUESS.with_name("letters.py"), home.plugins)
    shutil.copy(_GUESS.with_name("figures.py"), home.plugins)
    qtbot.waitUntil(lambda: any(each.drafters for each in page.model.plugins), timeout=_PATIENCE_MS)
    qtbot.waitUntil(lambda: any(each.readers for each in page.model.plugins), timeout=_PATIENCE_MS)

    _choose(page, "guess")

    entry = page.detail.offered[0].entry
    assert f"--draft plugin:{entry.name}" in _texts(page.detail.offered[0])
    plugin = page.detail.plugin
    assert plugin is not None and entry.title in second_line(plugin)

    page.search.setText(".letters")
    _choose(page, "letters")

    assert "*.letters, *.letters.gz" in _texts(page.detail.offered[0])

    page.search.setText("length of answers")
    qtbot.waitUntil(lambda: page.model.rowCount() == 1, timeout=_PATIENCE_MS)
    _choose(page, "figures")

    assert "tenfold prove MODEL --metric answer-length" in _texts(page.detail.offered[0])


def test_search_narrows_by_what_is_offered_and_says_when_nothing_matches(
    page: PluginsPage, qtbot: QtBot
) -> None:
    page.search.setText("which version")
    qtbot.waitUntil(lambda: page.model.rowCount() == 1)
    assert page.detail.plugin is not None and page.detail.plugin.title == "mine"

    page.search.setText("nothing has this name")
    qtbot.waitUntil(lambda: page._nothing.isVisible())

    page.search.clear()
    qtbot.waitUntil(lambda: page.model.rowCount() > 10)
    assert page.detail.plugin.title == "mine"


def test_the_list_is_walked_by_keys(page: PluginsPage, qtbot: QtBot) -> None:
    page.view.setFocus()
    page.view.setCurrentIndex(page.model.index(0))

    qtbot.keyClick(page.view, Qt.Key.Key_Down)

    assert page.detail.plugin is not None and page.detail.plugin.title == "mine"
    names = {page.detail.switch.accessibleName(), page.view.accessibleName(), page.search.accessibleName()}
    assert names == {"mine is switched on", "Plugins", "Search plugins"}


def test_an_environment_is_shown_with_its_size_and_removed(
    page: PluginsPage, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    _only_old_packaging(tmp_path, monkeypatch)
    _choose(page, "mine")
    assert "Not made yet" in _texts(page.detail.environments)

    ensure(home, [_OLD], _Silent())
    page.refresh()
    assert "packaging 20.4" in _texts(page.detail.environments)
    (remove,) = page.detail.environments.buttons
    remove.click()

    assert environment.environments(home) == []
    assert "Not made yet" in _texts(page.detail.environments)


def test_a_plugin_that_imports_what_is_missing_works_once_its_environment_is_made(
    page: PluginsPage, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    _only_old_packaging(tmp_path / "index", monkeypatch)
    folder = tmp_path / "linked"
    folder.mkdir()
    (folder / "pyproject.toml").write_text(
        '[project]\nname = "extra"\nversion = "1"\ndependencies = ["packaging==20.4"]\n'
        '[project.entry-points."tenfold.plugins"]\nextra = "extra"\n'
    )
    check = "import packaging\nassert packaging.__version__ == '20.4', 'too new'\n"
    (folder / "extra.py").write_text(check + WHICH_VERSION.format(name="other", requires=()))
    add_link(home, folder)
    qtbot.waitUntil(lambda: any(each.title == "extra" for each in page.model.plugins), timeout=_PATIENCE_MS)
    qtbot.waitUntil(lambda: not page.is_looking, timeout=_PATIENCE_MS)
    _choose(page, "extra")
    assert "too new" in page.detail.failure.details

    (make,) = page.detail.environments.buttons
    make.click()
    assert page.detail.environments.buttons[0].text() == "Stop"

    qtbot.waitUntil(
        lambda: [card.entry.name for card in page.detail.cards] == ["other"], timeout=_PATIENCE_MS
    )
    assert not page.detail.failure.isVisible() and page.environments_button.isVisible()
    assert page.detail.environments.buttons[0].text() == "Remove"


def test_making_an_environment_can_be_stopped(
    page: PluginsPage, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    _only_old_packaging(tmp_path / "index", monkeypatch)
    _choose(page, "mine")
    with environment.lock_of(home, environment.key_of([_OLD])):
        page.detail.environments.buttons[0].click()
        qtbot.waitUntil(lambda: "waiting" in _texts(page.detail.environments), timeout=_PATIENCE_MS)
        page.detail.environments.buttons[0].click()

        assert page.detail.environments.buttons[0].text() == "Make now"
    assert environment.environments(home) == []


def test_a_wheel_is_shown_before_it_is_installed(
    home: Home, context: AppContext, tmp_path: Path, qtbot: QtBot
) -> None:
    mark = tmp_path / "ran"
    source = f"import pathlib\npathlib.Path({str(mark)!r}).touch()\n" + WHICH_VERSION.format(
        name="which", requires=()
    )
    wheel = make_wheel(
        tmp_path, "tenfold-extra", "1.2", {"extra.py": source}, entry_points={"extra": "extra"}
    )
    dialog = InstallDialog(home)
    qtbot.addWidget(dialog)
    dialog.show()

    dialog.look_at(wheel)
    qtbot.waitUntil(lambda: dialog.facts is not None, timeout=_PATIENCE_MS)

    told = _texts(dialog.package)
    assert all(each in told for each in ("tenfold-extra", "Ada Lovelace", "Apache-2.0", RIGHTS)), told
    assert not home.installed_plugins.exists()
    assert not dialog.link_button.isVisible() and dialog.back.hasFocus()

    dialog.install_button.click()
    qtbot.waitUntil(lambda: not dialog.isVisible(), timeout=_PATIENCE_MS)

    assert dialog.told == "tenfold-extra 1.2 is installed." and not mark.exists()
    assert "which" in {each.name for each in context.session.catalogue.load().operations}


def test_what_is_no_plugin_is_explained_in_the_dialog(
    home: Home, theme: object, tmp_path: Path, qtbot: QtBot
) -> None:
    dialog = InstallDialog(home)
    qtbot.addWidget(dialog)
    dialog.show()

    dialog.look_at(tmp_path)
    qtbot.waitUntil(lambda: dialog._problem.isVisible(), timeout=_PATIENCE_MS)

    assert "no pyproject.toml" in dialog._problem.accessibleName()
    assert dialog.folder.isVisible() and not dialog.install_button.isVisible()
    dialog.reject()


def test_a_folder_can_be_linked_instead_of_installed(
    home: Home, theme: object, tmp_path: Path, qtbot: QtBot
) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "extra"\nversion = "1"\n'
        '[project.entry-points."tenfold.plugins"]\nextra = "extra"\n'
    )
    (tmp_path / "extra.py").write_text(WHICH_VERSION.format(name="which", requires=()))
    dialog = InstallDialog(home)
    qtbot.addWidget(dialog)
    dialog.show()
    dialog.look_at(tmp_path)
    qtbot.waitUntil(lambda: dialog.facts is not None, timeout=_PATIENCE_MS)
    assert dialog.package.builds.isVisible()

    dialog.link_button.click()

    assert dialog.told and not home.installed_plugins.exists()
    assert read_choices(home).linked == (tmp_path,)


def test_the_plan_of_such_a_job_says_that_it_downloads(
    context: AppContext, tmp_path: Path, qtbot: QtBot
) -> None:
    entry = context.session.catalogue.operation("gguf-quantize")
    plan = OptimizePlan(tmp_path)
    qtbot.addWidget(plan)
    shown = {"model_name": "m", "source_bytes": 1, "output_name": "m-Q8_0", "obstacles": ()}

    plan.show_plan(entry, {"type": "Q8_0"}, None, **shown)
    assert "download" not in plan.sentence.text()
    plan.show_plan(entry.model_copy(update={"requires": (_OLD,)}), {"type": "Q8_0"}, None, **shown)

    assert _OLD in plan.sentence.text() and "downloads" in plan.sentence.text()


def test_a_hundred_plugins_with_long_names_are_drawn(page: PluginsPage, qtbot: QtBot) -> None:
    plugins = [_record(f"{number:03d}-" + "long-name-" * 30) for number in range(100)]

    page.model.set_plugins(plugins)
    picture = page.grab()

    assert page.model.rowCount() == 100 and not picture.isNull()
    assert page.detail.width() + page.view.width() <= page.width()


def test_a_state_is_a_word_and_not_only_a_colour() -> None:
    on = _record("a")
    off = on.model_copy(update={"enabled": False})

    assert (state_words(on), state_words(off)) == ("on", "off")
    assert second_line(on) == "single file"
    model = PluginListModel()
    model.set_plugins([off])
    assert "off" in model.data(model.index(0), Qt.ItemDataRole.AccessibleTextRole)


def _only_old_packaging(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the installers find one wheel and no network."""
    for name in ("UV_FIND_LINKS", "PIP_FIND_LINKS"):
        monkeypatch.setenv(name, str(make_old_packaging(folder).parent))
    for name in ("UV_NO_INDEX", "PIP_NO_INDEX", "UV_OFFLINE"):
        monkeypatch.setenv(name, "1")


def _record(title: str) -> PluginRecord:
    where = {"package": "", "version": "", "source": "", "place": ""}
    return PluginRecord(name=f"file:{title}.py", title=title, kind="file", enabled=True, **where)


def _choose(page: PluginsPage, title: str) -> None:
    page.open(title)
    assert page.detail.plugin is not None and page.detail.plugin.title == title


def _texts(widget: QWidget) -> str:
    named = [each.accessibleName() for each in widget.findChildren(QWidget)]
    return "\n".join([each.text() for each in widget.findChildren(QLabel)] + named)
