"""The Plugins page: what adds operations to Tenfold, where each comes from, and whether it is on."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

from PySide6.QtCore import QModelIndex, Qt, QTimer
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import (
    QDialog,
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QListView,
    QMessageBox,
    QPushButton,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from ui.actions import add_action
from ui.context import AppContext
from ui.json_process import JsonProcess
from ui.models.plugin_list import PluginListModel, state_words
from ui.panels.plugins.detail import PluginDetail
from ui.panels.plugins.develop_card import DevelopCard
from ui.panels.plugins.environment_maker import EnvironmentMaker
from ui.panels.plugins.environments_dialog import EnvironmentsDialog
from ui.panels.plugins.install_dialog import InstallDialog
from ui.widgets.card import label
from ui.widgets.elided_label import ElidedLabel
from ui.widgets.plugin_delegate import PluginDelegate
from workbench.catalogue_entry import PluginRecord
from workbench.environments import environment
from workbench.environments.in_use import keys_in_use
from workbench.errors import WorkbenchError
from workbench.plugin_home.choices import set_enabled
from workbench.plugin_home.installed import installed_packages

#: How often the files of plugins are looked at while the page is shown, in milliseconds.
_WATCH_MS = 1000
_POLL_MS = 100
#: How often what is known so far is shown while plugins are looked at, in seconds.
_PARTLY_S = 0.5
_SETTLE_MS = 80


class PluginsPage(QWidget):
    """See the module."""

    name = "plugins"
    title = "Plugins"
    icon = "plugins"

    def __init__(self, context: AppContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._home = context.session.home
        self._catalogue = context.session.catalogue
        self._wanted = ""
        self._kept = ""
        self._told_at = 0.0
        self._poll = _timer(self, _POLL_MS, self._poll_catalogue)
        self._watch = _timer(self, _WATCH_MS, self._look_for_changes)
        self._removal = JsonProcess("workbench.plugin_home.process", self)
        self._removal.answered.connect(self._removed)
        self._removal.failed.connect(self._report)
        self._maker = EnvironmentMaker(self._home, self)
        context.closing.connect(self._removal.stop)
        context.closing.connect(self._maker.close)
        self.model = PluginListModel(self)
        self.detail = PluginDetail(context.theme)
        self._build()
        self._connect()
        self._make_actions()

    @property
    def is_looking(self) -> bool:
        """Whether some plugins are still to be looked at."""
        return self._poll.isActive()

    def refresh(self) -> None:
        """Look at plugins that are new or have changed."""
        self._catalogue.start_refresh()
        self._poll_catalogue()

    def reload(self) -> None:
        """Look anew also at what failed before."""
        self._catalogue.forget_failures()
        self.refresh()

    def open(self, argument: object) -> None:
        """Show a plugin: its name in specs, its title, or the name of an operation that it offers."""
        if isinstance(argument, str):
            self._wanted = argument
            self.search.clear()
            self._take_wanted()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.refresh()
        self._watch.start()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._watch.stop()
        self._poll.stop()

    # ------------------------------------------------------------------ reading

    def _poll_catalogue(self) -> None:
        try:
            contents = self._catalogue.poll_refresh()
        except WorkbenchError as error:
            self._poll.stop()
            self._report(error)
            return
        if contents is None:
            self._poll.start()
            if time.monotonic() - self._told_at > _PARTLY_S or not self.model.plugins:
                self._told_at = time.monotonic()
                self.model.set_plugins(self._catalogue.so_far().plugins)
                self._count()
            return
        self._poll.stop()
        self.model.set_plugins(contents.plugins)
        self._count()
        self._show_current()
        self._take_wanted()

    def _look_for_changes(self) -> None:
        if not self._poll.isActive() and self._catalogue.has_changed():
            self._changed()

    def _changed(self) -> None:
        """Plugins are others now: look at them, and let the other pages do so too."""
        self.refresh()
        self._context.plugins_changed.emit()

    def _take_wanted(self) -> None:
        if not self._wanted:
            return
        for plugin in self.model.plugins:
            if self._wanted in (plugin.name, plugin.title, *(each.name for each in plugin.operations)):
                self._wanted = ""
                self._choose(plugin.name)
                return

    def _choose(self, name: str) -> None:
        row = self.model.row_of(name)
        if row >= 0:
            self.view.setCurrentIndex(self.model.index(row))
            self.view.scrollTo(self.model.index(row))

    def _restore(self) -> None:
        """After the rows were made anew, show what was shown before, else the first."""
        row = self.model.row_of(self._kept)
        if self.model.rowCount():
            self.view.setCurrentIndex(self.model.index(max(row, 0)))
        else:
            self.detail.hide()
        self._nothing.setVisible(not self.model.rowCount())
        self.view.setVisible(bool(self.model.rowCount()))

    def _current_changed(self, current: QModelIndex, _previous: QModelIndex) -> None:
        plugin = self.model.plugin(current.row())
        if plugin is not None:
            self._kept = plugin.name
            self._show_current()

    def _current(self) -> PluginRecord | None:
        return self.model.plugin(self.view.currentIndex().row())

    def _show_current(self) -> None:
        plugin = self._current()
        self.detail.setVisible(plugin is not None)
        if plugin is None:
            return
        package = None
        if plugin.kind == "installed":
            packages = installed_packages(self._home)
            package = next((each for each in packages if each.name == plugin.package), None)
        self.detail.show_plugin(plugin, package)
        wanted = dict.fromkeys(each.requires for each in plugin.operations if each.requires)
        if plugin.requires and not wanted:
            wanted[plugin.requires] = None
        try:
            found = [(each, environment.find(self._home, each)) for each in wanted]
        except WorkbenchError as error:
            self._report(error)
            found = []
        self.detail.show_environments(found, making=self._maker.key)
        self.environments_button.setVisible(bool(environment.environments(self._home)))

    def _count(self) -> None:
        plugins = self.model.plugins
        states = Counter(state_words(each) for each in plugins)
        offered = sum(len(each.operations) for each in plugins if each.enabled)
        parts = [_counted(len(plugins), "plugin"), _counted(offered, "operation")]
        parts += [f"{states[word]} {word}" for word in ("off", "failed") if states[word]]
        pending = sum(each.pending for each in plugins)
        parts += [f"looking at {pending} …"] if pending else []
        self._summary.setText(" · ".join(parts))

    # ------------------------------------------------------------------ doing

    def _switch(self, on: bool) -> None:
        plugin = self.detail.plugin
        if plugin is None:
            return
        try:
            set_enabled(self._home, plugin.name, enabled=on)
        except OSError as error:
            self._context.message.emit("bad", f"The choice could not be kept: {error.strerror or error}.")
        self._changed()

    def _install(self) -> None:
        dialog = InstallDialog(self._home, self)
        if dialog.exec() == QDialog.DialogCode.Accepted:
            self._context.message.emit("good", dialog.told)
            if dialog.facts is not None and dialog.facts.entry_points:
                self._wanted = dialog.facts.entry_points[0].name
            self._changed()
        dialog.deleteLater()

    def _link(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Choose the folder of your plugin")
        if chosen:
            self.link_folder(Path(chosen))

    def link_folder(self, folder: Path) -> None:
        """Use a plugin's folder where it lies, if it is one and the person agrees that it may run."""
        dialog = InstallDialog(self._home, self)
        dialog.look_at(folder)
        if dialog.exec() == QDialog.DialogCode.Accepted:
            self._context.message.emit("good", dialog.told)
            self._changed()
        dialog.deleteLater()

    def _remove(self) -> None:
        plugin = self.detail.plugin
        if plugin is not None and self._agreed(plugin):
            self._removal.ask(["remove", plugin.name], {"TENFOLD_HOME": str(self._home.root)})

    def _removed(self, answer: dict[str, object]) -> None:
        if "done" in answer:
            self._context.message.emit("good", str(answer["done"]))
            self._changed()

    def _agreed(self, plugin: PluginRecord) -> bool:
        box = QMessageBox(self)
        box.setWindowTitle("Remove plugin")
        others = [
            each.title
            for each in self.model.plugins
            if plugin.kind == "installed" and each.package == plugin.package and each.name != plugin.name
        ]
        box.setText(f"Remove “{plugin.title[:80]}”?")
        told = {
            "linked": "The folder stays where it is; Tenfold only stops using it.",
            "file": f"The file {Path(plugin.place).name} is deleted for good.",
        }.get(plugin.kind, "Its files are deleted. Models that it made stay in the library.")
        if others:
            told += f" With it go the others of its package: {', '.join(others)}."
        box.setInformativeText(told)
        remove = box.addButton("Remove", QMessageBox.ButtonRole.DestructiveRole)
        box.setDefaultButton(box.addButton("Keep", QMessageBox.ButtonRole.RejectRole))
        box.exec()
        return box.clickedButton() is remove

    def _remove_environment(self, key: str) -> None:
        try:
            gone = environment.remove(self._home, key, in_use=keys_in_use(self._context.session.board))
        except WorkbenchError as error:
            self._report(error)
            return
        self._context.message.emit("good", f"The environment with {', '.join(gone.requirements)} is removed.")
        self._show_current()

    def _make_environment(self, requirements: tuple[str, ...]) -> None:
        self._maker.make(requirements)
        self._show_current()

    def _environment_ended(self, told: str) -> None:
        if told:
            self._context.message.emit("good", told)
        # A plugin that imports what it requires could not be looked at before.
        self.reload()

    def _environment_failed(self, error: WorkbenchError) -> None:
        self._report(error)
        self._show_current()

    def _show_environments(self) -> None:
        dialog = EnvironmentsDialog(self)
        dialog.show_environments(environment.environments(self._home))
        dialog.remove_wanted.connect(self._remove_environment)
        dialog.remove_wanted.connect(
            lambda _key: dialog.show_environments(environment.environments(self._home))
        )
        dialog.exec()
        dialog.deleteLater()

    def _report(self, error: WorkbenchError) -> None:
        self._context.message.emit("bad", str(error))

    # ------------------------------------------------------------------ building

    def _build(self) -> None:
        self._summary = ElidedLabel()
        self._summary.setProperty("role", "second")
        self.search = QLineEdit()
        self.search.setPlaceholderText("Search plugins")
        self.search.setClearButtonEnabled(True)
        self.search.setAccessibleName("Search plugins")
        self.search.setMinimumWidth(120)
        self.search.setMaximumWidth(200)
        self.reload_button = QPushButton("Reload")
        self.reload_button.setToolTip("Look at every plugin that failed or changed (F5)")
        self.environments_button = QPushButton("Environments…")
        self.environments_button.setToolTip("What jobs with requirements of their own run in, and its size")
        self.environments_button.hide()
        self.install_button = QPushButton("Install…")
        self.install_button.setProperty("variant", "primary")
        head = QHBoxLayout()
        head.setSpacing(14)
        head.addWidget(label(self.title, "title"))
        head.addWidget(self._summary, 1)
        buttons = (self.environments_button, self.reload_button, self.install_button)
        for part in (self.search, *buttons):
            head.addWidget(part)
        splitter = QSplitter(Qt.Orientation.Horizontal)
        splitter.setHandleWidth(12)
        splitter.setChildrenCollapsible(False)
        splitter.addWidget(self._build_left())
        splitter.addWidget(self.detail)
        splitter.setStretchFactor(0, 0)
        splitter.setStretchFactor(1, 1)
        splitter.setSizes([330, 900])
        layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 20, 24, 20)
        layout.setSpacing(16)
        layout.addLayout(head)
        layout.addWidget(splitter, 1)

    def _build_left(self) -> QWidget:
        self.view = QListView()
        self.view.setModel(self.model)
        self.view.setItemDelegate(PluginDelegate(self._context.theme, self.view))
        self.view.setAccessibleName("Plugins")
        self.view.setUniformItemSizes(True)
        self.view.setFrameShape(QListView.Shape.NoFrame)
        self.view.setMouseTracking(True)
        self.view.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._nothing = label("No plugin matches.", "second")
        self._nothing.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._nothing.hide()
        card = QFrame()
        card.setProperty("card", "true")
        inside = QVBoxLayout(card)
        inside.setContentsMargins(8, 8, 8, 8)
        inside.addWidget(self._nothing)
        inside.addWidget(self.view, 1)
        self.develop = DevelopCard()
        left = QWidget()
        left.setMinimumWidth(270)
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        column.addWidget(card, 1)
        column.addWidget(self.develop)
        return left

    def _connect(self) -> None:
        self._search_soon = QTimer(self)
        self._search_soon.setSingleShot(True)
        self._search_soon.setInterval(_SETTLE_MS)
        self._search_soon.timeout.connect(lambda: self.model.set_search(self.search.text()))
        self.search.textChanged.connect(self._search_soon.start)
        self.model.modelReset.connect(self._restore)
        self.view.selectionModel().currentChanged.connect(self._current_changed)
        self.reload_button.clicked.connect(self.reload)
        self.install_button.clicked.connect(self._install)
        self.develop.link_wanted.connect(self._link)
        self.develop.copied.connect(lambda: self._context.message.emit("good", "The command is copied."))
        self.detail.switched.connect(self._switch)
        self.detail.remove_wanted.connect(self._remove)
        self.detail.environments.remove_wanted.connect(self._remove_environment)
        self.detail.environments.make_wanted.connect(self._make_environment)
        self.detail.environments.stop_wanted.connect(self._maker.stop)
        self._maker.told.connect(self.detail.environments.tell)
        self._maker.ended.connect(self._environment_ended)
        self._maker.failed.connect(self._environment_failed)
        self.environments_button.clicked.connect(self._show_environments)
        self.detail.open_wanted.connect(
            lambda operation: self._context.open_page.emit("optimize", (None, operation, None))
        )

    def _make_actions(self) -> None:
        for text, keys, call in (
            ("Install a plugin", "", self._install),
            ("Link the folder of a plugin that you develop", "", self._link),
            ("Reload plugins", "F5", self.reload),
            ("Search plugins", "Ctrl+F", self.search.setFocus),
            ("Switch the chosen plugin on or off", "", self.detail.switch.toggle),
        ):
            add_action(self, text, keys, call)


def _timer(parent: QWidget, milliseconds: int, call: object) -> QTimer:
    made = QTimer(parent)
    made.setInterval(milliseconds)
    made.timeout.connect(call)
    return made


def _counted(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
