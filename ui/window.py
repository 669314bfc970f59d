"""The window: a rail of pages, a strip for the machine, a drawer for running jobs, and sheets over them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import QByteArray, QSettings, QSize, Qt
from PySide6.QtGui import QAction, QCloseEvent, QHideEvent, QKeySequence, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from ui.context import AppContext
from ui.page_list import PAGES, make_page
from ui.panels.shell.commands import commands_of
from ui.panels.shell.drawer import JobDrawer
from ui.panels.shell.palette import Command, CommandPalette
from ui.panels.shell.quitting import QuitChoice, QuitDialog, StoppingDialog, ask_to_stop
from ui.panels.shell.rail import Rail, RailEntry
from ui.panels.shell.shortcuts import ShortcutsSheet
from ui.panels.shell.strip import HardwareStrip
from ui.pulse import Pulse
from ui.widgets.toast import Toasts
from workbench.errors import WorkbenchError
from workbench.home import Home
from workbench.jobs.records import JobRecord

_LEAST = QSize(960, 600)
_FIRST = QSize(1280, 800)


class MainWindow(QWidget):
    """Everything a person sees. Closing it lets the home go; jobs run on or stop as the person says."""

    def __init__(self, context: AppContext) -> None:
        super().__init__()
        self.setObjectName("window")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setMinimumSize(_LEAST)
        self.context = context
        self.pages: dict[str, QWidget] = {}
        self._page_name = ""
        self._state = QSettings(str(_state_file(context.session.home)), QSettings.Format.IniFormat)
        self._build()
        self._make_actions()
        self.pulse = Pulse(context, self)
        self._connect()
        self._restore()

    @property
    def page_name(self) -> str:
        return self._page_name

    @property
    def kept_page(self) -> str:
        """The page that was shown when the window was last closed."""
        return str(self._state.value("window/page", PAGES[0].name))

    def open_page(self, name: str, argument: object = None) -> QWidget:
        """Show a page, made on its first visit, and there what the argument names."""
        entry = next((each for each in PAGES if each.name == name), PAGES[0])
        self.palette_sheet.close_sheet()
        self.shortcuts_sheet.close_sheet()
        page = self.pages.get(entry.name)
        if page is None:
            page = make_page(entry, self.context)
            page.setAccessibleName(entry.title)
            self.pages[entry.name] = page
            self.stack.addWidget(page)
        self.stack.setCurrentWidget(page)
        if self._page_name != entry.name:
            page.setFocus(Qt.FocusReason.OtherFocusReason)
        self._page_name = entry.name
        self.rail.choose(entry.name)
        self.setWindowTitle(f"{entry.title} — Tenfold")
        if argument is not None:
            page.open(argument)  # type: ignore[attr-defined]
        return page

    def page_actions(self) -> list[QAction]:
        """What the shown page offers."""
        page = self.pages.get(self._page_name)
        return page.actions() if page is not None else []

    def raise_itself(self) -> None:
        """Come before the other windows."""
        self.setWindowState(self.windowState() & ~Qt.WindowState.WindowMinimized)
        self.show()
        self.raise_()
        self.activateWindow()

    def start(self) -> None:
        """Begin to follow jobs, hashes and hardware."""
        self.show_running()
        self.pulse.start()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.pulse.watch_hardware(True)

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self.pulse.watch_hardware(False)

    def closeEvent(self, event: QCloseEvent) -> None:
        if not self._may_quit():
            event.ignore()
            return
        self.pulse.stop()
        self.context.closing.emit()
        self._state.setValue("window/geometry", self.saveGeometry())
        self._state.setValue("window/page", self._page_name)
        self._state.sync()
        super().closeEvent(event)

    # ------------------------------------------------------------------ quitting

    def _may_quit(self) -> bool:
        runner = self.context.session.runner
        if runner is None or not runner.running:
            return True
        jobs = self._running_jobs(runner.running)
        keep = self.context.session.settings.load().keep_jobs_on_quit
        dialog = QuitDialog(jobs, keep=keep, parent=self)
        dialog.exec()
        if dialog.choice is QuitChoice.STOP:
            ask_to_stop(self.context.session, runner.running)
            StoppingDialog(lambda: runner.running, self.pulse.poll_jobs, self).exec()
        return dialog.choice is not QuitChoice.STAY

    def _running_jobs(self, ids: tuple[str, ...]) -> list[JobRecord]:
        found = []
        for job_id in ids:
            try:
                found.append(self.context.session.board.get(job_id))
            except WorkbenchError as error:
                self.context.message.emit("bad", str(error))
        return found

    # ------------------------------------------------------------------ what is asked

    def _job_wanted(self, what: str, job_id: str) -> None:
        if what == "open":
            self.open_page("jobs", job_id)
            return
        board = self.context.session.board
        calls: dict[str, Callable[[str], object]] = {"pause": board.pause, "cancel": board.cancel}
        try:
            calls[what](job_id)
        except WorkbenchError as error:
            self.context.message.emit("bad", str(error))
        self.pulse.poll_jobs()

    def show_running(self) -> None:
        """Read anew which jobs run and wait; from then on the runner tells."""
        try:
            self.drawer.set_jobs(self.context.session.board.list(states=("queued", "running")))
        except WorkbenchError as error:
            self.context.message.emit("bad", str(error))

    def _resumable(self, job_id: str) -> bool:
        try:
            return self.context.session.board.spec(job_id).resumable
        except WorkbenchError:
            # It was removed a moment ago, and its line is about to go.
            return False

    def _show_counts(self, running: int, waiting: int, network: int) -> None:
        self.rail.set_count("jobs", running + waiting)
        self.strip.set_downloads(network)

    def _commands(self) -> list[Command]:
        return commands_of(self.context, self.global_actions, self.page_actions(), self.open_page)

    def _open_shortcuts(self) -> None:
        self.palette_sheet.close_sheet()
        title = next(each.title for each in PAGES if each.name == self._page_name)
        self.shortcuts_sheet.open_with(self.global_actions, title, self.page_actions())

    def _open_palette(self) -> None:
        self.shortcuts_sheet.close_sheet()
        self.palette_sheet.open()

    # ------------------------------------------------------------------ building

    def _build(self) -> None:
        theme = self.context.theme
        entries = [
            RailEntry(each.name, each.title, each.icon, f"Ctrl+{place}", each.at_foot)
            for place, each in enumerate(PAGES, 1)
        ]
        self.rail = Rail(theme, entries)
        self.strip = HardwareStrip()
        self.stack = QStackedWidget()
        self.drawer = JobDrawer(theme, self._resumable)
        column = QVBoxLayout()
        column.setSpacing(0)
        column.addWidget(self.strip)
        column.addWidget(self.stack, 1)
        column.addWidget(self.drawer)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(self.rail)
        row.addLayout(column, 1)
        self.toasts = Toasts(theme, self)
        self.palette_sheet = CommandPalette(theme, self._commands, self)
        self.shortcuts_sheet = ShortcutsSheet(self)

    def _make_actions(self) -> None:
        self.global_actions: list[QAction] = []
        for place, entry in enumerate(PAGES, 1):
            self._action(f"Go to {entry.title}", [f"Ctrl+{place}"], partial(self.open_page, entry.name))
        self._action("Command palette", ["Ctrl+K"], self._open_palette)
        self._action("Keyboard shortcuts", ["?", "F1"], self._open_shortcuts)
        for mode in ("light", "dark", "system"):
            text = f"Theme: {mode}" if mode != "system" else "Theme: as the system’s"
            self._action(text, [], partial(self._set_theme, mode))
        self._action("Quit", ["Ctrl+Q"], self.close)

    def _action(self, text: str, keys: list[str], call: Callable[[], object]) -> None:
        action = QAction(text, self)
        action.setShortcuts([QKeySequence(each) for each in keys])
        action.triggered.connect(lambda _on=False: call())
        self.addAction(action)
        self.global_actions.append(action)

    def _set_theme(self, mode: str) -> None:
        settings = self.context.session.settings
        try:
            preferences = settings.load().model_copy(update={"theme": mode})
            settings.save(preferences)
        except WorkbenchError as error:
            self.context.message.emit("bad", str(error))
            return
        self.context.theme.set_mode(preferences.theme)
        self.context.preferences_changed.emit(preferences)

    def _connect(self) -> None:
        context = self.context
        context.message.connect(self.toasts.show_message)
        context.open_page.connect(self.open_page)
        context.reading.connect(self.strip.show_reading)
        context.jobs_changed.connect(self.drawer.take)
        self.rail.wanted.connect(self.open_page)
        self.drawer.wanted.connect(self._job_wanted)
        self.drawer.counted.connect(self._show_counts)
        self.drawer.height_changed.connect(self.toasts.set_lift)

    def _restore(self) -> None:
        kept = self._state.value("window/geometry")
        if not (isinstance(kept, QByteArray) and self.restoreGeometry(kept)):
            self.resize(_FIRST)


def _state_file(home: Home) -> Path:
    return home.root / "window.ini"
