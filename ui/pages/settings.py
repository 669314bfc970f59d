"""The Settings page: every choice is kept at once, and says what it means."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError
from PySide6.QtCore import Qt, QTimer, QUrl
from PySide6.QtGui import QGuiApplication, QHideEvent, QShowEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from ui.actions import add_action
from ui.context import AppContext
from ui.file_manager import open_folder
from ui.panels.settings.about import AboutPanel
from ui.panels.settings.folders import FoldersEditor
from ui.panels.settings.places import PlacesEditor
from ui.panels.settings.rows import SettingRow
from ui.panels.settings.token import TokenRow
from ui.widgets.card import Card, label
from ui.widgets.elided_label import ElidedLabel
from ui.widgets.form_inputs import CalmComboBox, CalmSpinBox, Switch
from workbench.errors import WorkbenchError
from workbench.hardware import physical_cores
from workbench.settings import Preferences

_WIDTH = 760
_THEMES = (("system", "As the system’s"), ("light", "Light"), ("dark", "Dark"))


class SettingsPage(QWidget):
    """See the module."""

    name = "settings"
    title = "Settings"
    icon = "settings"

    def __init__(self, context: AppContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._settings = context.session.settings
        self._preferences = Preferences()
        self._filling = False
        self._build()
        self._connect()
        self._make_actions()
        self.refresh()

    def refresh(self) -> None:
        """Read the preferences anew."""
        try:
            self._show(self._settings.load())
        except WorkbenchError as error:
            self._context.message.emit("bad", str(error))

    def open(self, argument: object) -> None:
        """Scroll to a part: `hub`, where the search for models sends whoever lacks a token, or `clusters`."""
        if argument == "hub":
            self._scroll.ensureWidgetVisible(self._hub_card)
            self.endpoint.setFocus()
        elif argument == "clusters":
            self._scroll.ensureWidgetVisible(self._places_card)
            self.places.add.setFocus()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.refresh()
        # After the page is painted: a keyring may take its time to answer.
        QTimer.singleShot(0, self, self.token.refresh)
        QTimer.singleShot(0, self, self._watch_places)

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self.places.rest()

    def _watch_places(self) -> None:
        if self.isVisible():
            self.places.watch()

    # ------------------------------------------------------------------ keeping

    def _keep(self, **changes: Any) -> bool:
        """Save what changed; where it can't be, the controls go back to what holds."""
        if self._filling:
            return True
        wanted = self._preferences.model_copy(update=changes)
        if wanted == self._preferences:
            return True
        try:
            wanted = Preferences.model_validate(wanted.model_dump())
            self._settings.save(wanted)
        except ValidationError as error:
            self._context.message.emit("bad", str(error.errors()[0]["msg"]))
        except WorkbenchError as error:
            self._context.message.emit("bad", str(error))
        else:
            self._preferences = wanted
            self._context.preferences_changed.emit(wanted)
            return True
        self._show(self._preferences)
        return False

    def _keep_theme(self) -> None:
        if not self._filling and self._keep(theme=self.theme.currentData()):
            self._context.theme.set_mode(self._preferences.theme)

    def _keep_threads(self) -> None:
        self.threads.setEnabled(not self.all_cores.isChecked())
        self._keep(threads=None if self.all_cores.isChecked() else self.threads.value())

    def _keep_endpoint(self) -> None:
        text = self.endpoint.text().strip().rstrip("/")
        problem = _endpoint_problem(text)
        self.endpoint.setProperty("invalid", "true" if problem else "false")
        self.endpoint.style().polish(self.endpoint)
        self._endpoint_problem.setText(problem)
        self._endpoint_problem.setVisible(bool(problem))
        if not problem:
            self._keep(hub_endpoint=text)

    def _keep_folders(self, folders: tuple[str, ...]) -> None:
        self._keep(extra_model_folders=folders)
        self.folders.set_folders(self._preferences.extra_model_folders)

    def _show(self, preferences: Preferences) -> None:
        self._filling = True
        self._preferences = preferences
        self.theme.setCurrentIndex(self.theme.findData(preferences.theme))
        self.cpu_slots.setValue(preferences.cpu_slots)
        self.network_slots.setValue(preferences.network_slots)
        self.all_cores.setChecked(preferences.threads is None)
        self.threads.setEnabled(preferences.threads is not None)
        self.threads.setValue(preferences.threads or physical_cores())
        self.go_on.setChecked(preferences.go_on_after_error)
        self.on_quit.setCurrentIndex(self.on_quit.findData(preferences.keep_jobs_on_quit))
        if not self.endpoint.hasFocus():
            self.endpoint.setText(preferences.hub_endpoint)
        self.folders.set_folders(preferences.extra_model_folders)
        self.places.set_places(preferences.places)
        self._filling = False

    # ------------------------------------------------------------------ building

    def _build(self) -> None:
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(0, 0, 8, 0)
        column.setSpacing(16)
        for card in (
            self._look(),
            self._work(),
            self._hub(),
            self._folders(),
            self._places(),
            self._home(),
            self._about(),
        ):
            column.addWidget(card)
        column.addStretch(1)
        inner.setMaximumWidth(_WIDTH)
        self._scroll = QScrollArea()
        self._scroll.setWidgetResizable(True)
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._scroll.setWidget(inner)
        head = QHBoxLayout()
        head.setSpacing(14)
        head.addWidget(label(self.title, "title"))
        head.addWidget(label("Every choice is kept at once", "second"))
        head.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 20, 16, 20)
        layout.setSpacing(16)
        layout.addLayout(head)
        layout.addWidget(self._scroll, 1)

    def _look(self) -> QWidget:
        self.theme = CalmComboBox()
        for mode, text in _THEMES:
            self.theme.addItem(text, mode)
        card = Card("Look")
        card.column.addWidget(SettingRow("Theme", "Light, dark, or whatever the desktop is.", self.theme))
        return card

    def _work(self) -> QWidget:
        self.cpu_slots = _spin(1, 64)
        self.network_slots = _spin(1, 16)
        self.threads = _spin(1, 1024)
        self.all_cores = QCheckBox(
            f"All {physical_cores()} cores" if physical_cores() > 1 else "The one core"
        )
        threads = QWidget()
        row = QHBoxLayout(threads)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(12)
        row.addWidget(self.all_cores)
        row.addWidget(self.threads)
        self.go_on = Switch()
        self.on_quit = CalmComboBox()
        self.on_quit.setMinimumContentsLength(18)
        self.on_quit.addItem("Keep them running", True)
        self.on_quit.addItem("Stop them", False)
        card = Card("Work")
        for title, help, control in (
            ("Jobs at once on the CPU", "More than one shares the cores and the memory.", self.cpu_slots),
            ("Downloads at once", "They share the network and leave the CPU alone.", self.network_slots),
            ("Threads of a job", "Physical cores are what number crunching runs best on.", threads),
            ("Go on after an error", "Off: when a job fails, those that wait stay waiting.", self.go_on),
            (
                "Jobs when you quit",
                "What is proposed when you close the window while jobs run. Stopped jobs that keep "
                "checkpoints go on from them later.",
                self.on_quit,
            ),
        ):
            card.column.addWidget(SettingRow(title, help, control))
        self.threads.setAccessibleName("Threads of a job")
        return card

    def _hub(self) -> QWidget:
        self.endpoint = QLineEdit()
        self.endpoint.setPlaceholderText("https://huggingface.co")
        self.endpoint.setMinimumWidth(280)
        self._endpoint_problem = label("", "caption", wrap=True)
        self._endpoint_problem.setProperty("tone", "bad")
        self._endpoint_problem.hide()
        self.token = TokenRow()
        self._hub_card = Card("Hub")
        self._hub_card.column.addWidget(
            SettingRow("Address", "A mirror of the hub; empty for Hugging Face’s own.", self.endpoint)
        )
        self._hub_card.column.addWidget(self._endpoint_problem)
        self._hub_card.column.addWidget(
            SettingRow("Token", "For gated and private models. Kept in the system’s keyring.", self.token)
        )
        return self._hub_card

    def _folders(self) -> QWidget:
        self.folders = FoldersEditor()
        card = Card("Model folders")
        card.column.addWidget(
            label("“Find on this computer” looks into these folders too. Nothing is copied.", "caption")
        )
        card.column.addWidget(self.folders)
        return card

    def _places(self) -> QWidget:
        self.places = PlacesEditor()
        self._places_card = Card("Clusters")
        self._places_card.column.addWidget(
            label(
                "Ray clusters that jobs may run on. Where there is one, each job can be sent there. "
                "Tokens are kept in the system’s keyring alone.",
                "caption",
                wrap=True,
            )
        )
        self._places_card.column.addWidget(self.places)
        return self._places_card

    def _home(self) -> QWidget:
        root = self._context.session.home.root
        path = ElidedLabel(str(root), Qt.TextElideMode.ElideMiddle)
        path.setProperty("role", "body")
        path.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.open_home = QPushButton("Open")
        self.open_home.setAccessibleName("Open the folder that holds everything")
        self.copy_home = QPushButton("Copy path")
        self.open_home.clicked.connect(lambda: open_folder(root))
        self.copy_home.clicked.connect(lambda: QGuiApplication.clipboard().setText(str(root)))
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(path, 1)
        row.addWidget(self.copy_home)
        row.addWidget(self.open_home)
        card = Card("Home")
        card.column.addWidget(
            label(
                "Holds the library, the jobs, downloaded models and plugins. Start with --home or set "
                "TENFOLD_HOME to use another one.",
                "caption",
                wrap=True,
            )
        )
        card.column.addLayout(row)
        return card

    def _about(self) -> QWidget:
        card = Card("About Tenfold")
        self.about = AboutPanel()
        card.column.addWidget(self.about)
        return card

    def _connect(self) -> None:
        self.theme.activated.connect(self._keep_theme)
        self.cpu_slots.valueChanged.connect(lambda value: self._keep(cpu_slots=value))
        self.network_slots.valueChanged.connect(lambda value: self._keep(network_slots=value))
        self.threads.valueChanged.connect(self._keep_threads)
        self.all_cores.toggled.connect(self._keep_threads)
        self.go_on.toggled.connect(lambda on: self._keep(go_on_after_error=on))
        self.on_quit.activated.connect(lambda: self._keep(keep_jobs_on_quit=self.on_quit.currentData()))
        self.endpoint.editingFinished.connect(self._keep_endpoint)
        self.folders.edited.connect(self._keep_folders)
        self.places.edited.connect(lambda places: self._keep(places=places) and self._show(self._preferences))
        self.places.told.connect(self._context.message)
        self._context.closing.connect(self.places.rest)
        self.token.told.connect(self._context.message)
        self._context.preferences_changed.connect(self._show)

    def _make_actions(self) -> None:
        for text, call in (
            ("Open the home folder", self.open_home.click),
            ("Add a model folder", self.folders.add.click),
            ("Add a cluster", self.places.add.click),
            ("Set the hub token", self.token.set_button.click),
            ("Copy versions", self.about.copy.click),
        ):
            add_action(self, text, "", call)


def _spin(least: int, most: int) -> CalmSpinBox:
    made = CalmSpinBox()
    made.setRange(least, most)
    made.setMinimumWidth(84)
    return made


def _endpoint_problem(text: str) -> str:
    """What is wrong with an address; empty where nothing is."""
    if not text:
        return ""
    url = QUrl(text, QUrl.ParsingMode.StrictMode)
    if not url.isValid() or url.scheme() not in ("https", "http") or not url.host():
        return "An address begins with https:// and names a host, as https://hub.example.org does."
    if url.userInfo():
        return "A name or a password does not belong into the address."
    return ""
