"""The window: its keys, its sheets, its drawer, and how it ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QObject, QPoint, Qt
from PySide6.QtGui import QAccessible
from PySide6.QtWidgets import QAbstractSpinBox, QApplication, QLineEdit, QWidget
from pytestqt.qtbot import QtBot

from ui.context import AppContext
from ui.page_list import PAGES
from ui.panels.shell import quitting
from ui.panels.shell.quitting import QuitChoice, QuitDialog
from ui.single_instance import FirstInstance, ask_first_to_raise, is_window_there
from ui.window import MainWindow
from workbench.home import Home
from workbench.jobs.build import make_spec
from workbench.jobs.records import JobRecord

_CTRL = Qt.KeyboardModifier.ControlModifier


def test_ctrl_and_a_digit_opens_each_page(window: MainWindow, qtbot: QtBot) -> None:
    for place, entry in enumerate(PAGES, 1):
        qtbot.keyClick(window, Qt.Key(Qt.Key.Key_0 + place), _CTRL)

        assert window.page_name == entry.name
        assert window.rail.buttons[entry.name].isChecked()
        assert window.windowTitle().startswith(entry.title)


def test_pages_are_made_on_their_first_visit_alone(window: MainWindow) -> None:
    assert set(window.pages) == {"jobs"}

    first = window.open_page("settings")

    assert window.open_page("settings") is first
    assert set(window.pages) == {"jobs", "settings"}


def test_nothing_but_the_window_is_ever_shown_as_one(window: MainWindow, qtbot: QtBot) -> None:
    """A part that is shown before it has a parent is a window for a moment, and takes the focus."""

    class Watch(QObject):
        shown: list[QObject]

        def eventFilter(self, watched: QObject, event: QEvent) -> bool:
            if event.type() == QEvent.Type.Show and isinstance(watched, QWidget) and watched.isWindow():
                self.shown.append(watched)
            return False

    watch = Watch()
    watch.shown = []
    QApplication.instance().installEventFilter(watch)  # type: ignore[union-attr]
    for entry in PAGES:
        window.open_page(entry.name)
        QApplication.processEvents()

    assert watch.shown == []


def test_a_page_that_breaks_leaves_the_others_usable(
    window: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ui.pages.settings as module

    def broken(_context: AppContext) -> QWidget:
        raise RuntimeError("no such luck")

    monkeypatch.setattr(module, "SettingsPage", broken)
    page = window.open_page("settings")

    assert window.page_name == "settings"
    assert page.actions() == []  # type: ignore[attr-defined]
    assert window.open_page("jobs") is window.pages["jobs"]


def test_the_palette_finds_a_page_by_a_few_letters(window: MainWindow, qtbot: QtBot) -> None:
    qtbot.keyClick(window, Qt.Key.Key_K, _CTRL)
    assert window.palette_sheet.isVisible()
    qtbot.waitUntil(window.palette_sheet.field.hasFocus)

    qtbot.keyClicks(window.palette_sheet.field, "setti")
    qtbot.keyClick(window.palette_sheet.field, Qt.Key.Key_Return)

    assert window.page_name == "settings"
    assert not window.palette_sheet.isVisible()


def test_the_palette_offers_the_page_s_actions_models_and_jobs(
    window: MainWindow, tiny_gguf: Path, qtbot: QtBot
) -> None:
    job = _submit(window.context, tiny_gguf)
    window.open_page("jobs").refresh()  # type: ignore[attr-defined]

    qtbot.keyClick(window, Qt.Key.Key_K, _CTRL)
    window.palette_sheet.field.setText("job's log")
    found = window.palette_sheet.model.index(0).data()
    window.palette_sheet.field.setText(job.title)
    qtbot.keyClick(window.palette_sheet.field, Qt.Key.Key_Return)

    assert found == "Show the job's log"
    assert window.pages["jobs"].listing.current_id() == job.id  # type: ignore[attr-defined]
    names = [command.text for command in window._commands()]
    assert window.context.session.library.list()[0].name in names


def test_the_palette_says_when_nothing_matches_and_closes_on_escape(window: MainWindow, qtbot: QtBot) -> None:
    before = window.focusWidget()
    qtbot.keyClick(window, Qt.Key.Key_K, _CTRL)
    qtbot.keyClicks(window.palette_sheet.field, "qzqzqz")

    assert window.palette_sheet.model.rowCount() == 0
    assert window.palette_sheet._nothing.isVisible()
    qtbot.keyClick(window.palette_sheet.field, Qt.Key.Key_Return)
    qtbot.keyClick(window.palette_sheet.field, Qt.Key.Key_Escape)

    assert not window.palette_sheet.isVisible()
    assert window.focusWidget() is before


def test_the_question_mark_lists_the_keys_and_tab_stays_inside(window: MainWindow, qtbot: QtBot) -> None:
    qtbot.keyClick(window, Qt.Key.Key_Question)
    texts = window.shortcuts_sheet.texts()

    assert window.shortcuts_sheet.isVisible()
    assert "Go to Models: Ctrl+1" in texts
    assert "Search jobs: Ctrl+F" in texts
    for _ in range(4):
        qtbot.keyClick(window.focusWidget(), Qt.Key.Key_Tab)
        assert window.shortcuts_sheet.isAncestorOf(window.focusWidget())
    qtbot.mouseClick(window.shortcuts_sheet, Qt.MouseButton.LeftButton, pos=QPoint(5, 5))
    assert not window.shortcuts_sheet.isVisible()


def test_typing_a_question_mark_into_a_field_is_just_that(window: MainWindow, qtbot: QtBot) -> None:
    search = window.pages["jobs"].listing.search  # type: ignore[attr-defined]
    search.parentWidget().show()
    window.open_page("settings")
    endpoint = window.pages["settings"].endpoint  # type: ignore[attr-defined]
    endpoint.setFocus()

    qtbot.keyClick(endpoint, Qt.Key.Key_Question)

    assert endpoint.text() == "?"
    assert not window.shortcuts_sheet.isVisible()
    endpoint.clear()


@pytest.mark.parametrize("name", [entry.name for entry in PAGES])
def test_every_control_has_a_name_that_can_be_spoken(window: MainWindow, name: str, tiny_gguf: Path) -> None:
    _submit(window.context, tiny_gguf)
    page = window.open_page(name)
    page.refresh()  # type: ignore[attr-defined]

    nameless = [
        f"{type(each).__name__} in {type(each.parentWidget()).__name__}"
        for each in window.findChildren(QWidget)
        if each.isVisible()
        and each.focusPolicy() & Qt.FocusPolicy.TabFocus
        and not _is_inner(each)
        and not _spoken(each)
    ]

    assert nameless == []


def test_a_running_job_is_in_the_drawer_from_start_to_end(
    window: MainWindow, tiny_gguf: Path, qtbot: QtBot
) -> None:
    job = _submit(window.context, tiny_gguf)
    window.open_page("settings")
    assert not window.drawer.isVisible()

    def seen() -> bool:
        window.pulse.poll_jobs()
        return window.drawer.isVisible()

    qtbot.waitUntil(seen, timeout=60_000)
    row = window.drawer.rows[0]
    assert job.title in row.title.toolTip()
    assert window.rail.buttons["jobs"]._count.text() == "1"
    row.title.click()
    assert window.page_name == "jobs"

    def gone() -> bool:
        window.pulse.poll_jobs()
        return not window.drawer.isVisible()

    qtbot.waitUntil(gone, timeout=120_000)
    assert window.rail.buttons["jobs"]._count.text() == ""


def test_a_job_is_cancelled_from_the_drawer(window: MainWindow, tiny_gguf: Path, qtbot: QtBot) -> None:
    job = _submit(window.context, tiny_gguf)

    def running() -> bool:
        window.pulse.poll_jobs()
        return window.drawer.isVisible()

    qtbot.waitUntil(running, timeout=60_000)
    window.drawer.rows[0].cancel.click()

    def ended() -> bool:
        window.pulse.poll_jobs()
        return window.context.session.board.get(job.id).state in ("cancelled", "done")

    qtbot.waitUntil(ended, timeout=120_000)


def test_closing_asks_only_while_jobs_run(
    window: MainWindow, tiny_gguf: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[QuitDialog] = []

    def answer(dialog: QuitDialog) -> int:
        asked.append(dialog)
        dialog.buttons[QuitChoice.STAY if len(asked) == 1 else QuitChoice.STOP].click()
        return 0

    monkeypatch.setattr(QuitDialog, "exec", answer)
    job = _submit(window.context, tiny_gguf)
    runner = window.context.session.runner
    assert runner is not None

    def running() -> bool:
        window.pulse.poll_jobs()
        return bool(runner.running)

    qtbot.waitUntil(running, timeout=60_000)
    window.close()
    assert window.isVisible()
    if runner.running:
        window.close()

    assert not window.isVisible() or not runner.running
    assert runner.running == ()
    assert window.context.session.board.get(job.id).state in ("paused", "cancelled", "done")


def test_what_the_preferences_say_is_what_enter_answers(context: AppContext, qtbot: QtBot) -> None:
    for keep, wanted in ((True, QuitChoice.KEEP), (False, QuitChoice.STOP)):
        dialog = quitting.QuitDialog([], keep=keep)
        qtbot.addWidget(dialog)
        dialog.show()

        qtbot.keyClick(dialog, Qt.Key.Key_Return)

        assert dialog.choice is wanted


def test_the_window_comes_back_where_it_was(
    window: MainWindow, context: AppContext, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    window.resize(1000, 777)
    kept = window.saveGeometry()
    window.open_page("settings")
    window.close()

    restored: list[object] = []
    monkeypatch.setattr(MainWindow, "restoreGeometry", lambda _window, state: restored.append(state) or True)
    again = MainWindow(context)
    qtbot.addWidget(again)

    assert restored == [kept]
    assert again.kept_page == "settings"
    assert (context.session.home.root / "window.ini").is_file()


def test_a_message_is_a_toast_that_can_be_closed(window: MainWindow, qtbot: QtBot) -> None:
    window.context.message.emit("good", "Saved.")
    window.context.message.emit("good", "Saved.")
    window.context.message.emit("bad", "The disk is full.")

    assert [toast.text for toast in window.toasts.toasts] == ["Saved.", "The disk is full."]
    toasts = window.toasts.geometry()
    assert window.rect().contains(toasts)
    for _ in range(6):
        window.context.message.emit("info", f"message {_}")
    assert len(window.toasts.toasts) == 4
    for toast in window.toasts.toasts:
        toast.gone.emit(toast)
    assert not window.toasts.isVisible()


def test_the_strip_shows_the_machine_and_counts_gpus_that_do_not_fit(window: MainWindow) -> None:
    from workbench.hardware import GpuReading, Reading

    gpus = tuple(GpuReading(number, 98.0, 61 * 10**9, 80 * 10**9, 412.0) for number in range(8))
    window.context.reading.emit(Reading(0.0, 73.4, 9_100_000_000, 24 * 10**9, gpus))

    assert window.strip._cpu.accessibleName() == "CPU: 73\u202f%"
    assert window.strip._ram.accessibleName() == "RAM: 9.1 / 24\u202fGB"
    shown = [meter for meter in window.strip._gpus if not meter.isHidden()]
    assert 1 <= len(shown) < 8
    assert window.strip._more.text() == f"+{8 - len(shown)} GPUs"


def test_a_second_start_makes_the_first_window_come_forward(home: Home, qtbot: QtBot) -> None:
    assert not is_window_there(home)
    first = FirstInstance(home)
    code = (
        "import sys; from pathlib import Path; from PySide6.QtCore import QCoreApplication\n"
        "app = QCoreApplication([]); from workbench.home import Home\n"
        "from ui.single_instance import ask_first_to_raise\n"
        "sys.exit(0 if ask_first_to_raise(Home(Path(sys.argv[1]))) else 1)\n"
    )

    with qtbot.waitSignal(first.raise_wanted, timeout=30_000):
        second = subprocess.Popen([sys.executable, "-c", code, str(home.root)])
    assert second.wait(30) == 0

    first.close()
    assert not ask_first_to_raise(home)


def _submit(context: AppContext, path: Path) -> JobRecord:
    library = context.session.library
    model = library.add(path).record
    entry = context.session.catalogue.operation("gguf-quantize")
    spec = make_spec(
        entry, model, library.facts(model.id), {"type": "Q8_0"}, input=library.to_spec_input(model.id)
    )
    return context.session.board.submit(spec)


def _is_inner(widget: QWidget) -> bool:
    """A part of a control that Qt made for itself, whose name is that of the whole."""
    parent = widget.parentWidget()
    return widget.objectName().startswith("qt_") or (
        isinstance(widget, QLineEdit) and isinstance(parent, QAbstractSpinBox)
    )


def _spoken(widget: QWidget) -> str:
    interface = QAccessible.queryAccessibleInterface(widget)
    return interface.text(QAccessible.Text.Name) if interface is not None else widget.accessibleName()
