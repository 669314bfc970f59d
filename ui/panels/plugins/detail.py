"""One plugin in full: whether it is on, where it comes from, what it offers, and why it does not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QScrollArea, QVBoxLayout, QWidget

from ui import format as show
from ui.file_manager import open_folder
from ui.models.plugin_list import KIND_WORDS
from ui.panels.plugins.environment_rows import EnvironmentRows, Wanted
from ui.panels.plugins.offered_card import OfferedCard, drafter_card, metric_card, reader_card, training_card
from ui.panels.plugins.operation_card import OperationCard
from ui.theme import Theme
from ui.widgets.badge import Badge
from ui.widgets.card import Card, label, restyle
from ui.widgets.fact_grid import Fact, FactGrid
from ui.widgets.form_inputs import Switch
from ui.widgets.message import MessageBar
from ui.widgets.model_title import WrappedTitle
from workbench.catalogue_entry import PluginRecord
from workbench.plugin_home.installed import InstalledPackage

#: Longer lines of text are no easier to read.
_WIDTH = 860
_REMOVE = {"installed": "Remove…", "linked": "Unlink", "file": "Delete…"}


class PluginDetail(QWidget):
    """Shows; what is to be done with the plugin is the page's to do.

    Signals:
        switched: Whether the plugin is to be on.
        open_wanted: The name of an operation to show on the Optimize page.
        remove_wanted: The plugin is to be taken out of the home.
    """

    switched = Signal(bool)
    open_wanted = Signal(str)
    remove_wanted = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._shown: tuple[PluginRecord, InstalledPackage | None] | None = None
        self.cards: list[OperationCard] = []
        self.offered: list[OfferedCard] = []
        self._build()

    @property
    def plugin(self) -> PluginRecord | None:
        return self._shown[0] if self._shown is not None else None

    def show_plugin(self, plugin: PluginRecord, package: InstalledPackage | None) -> None:
        """Show a plugin; `package` is how it was installed, where it was."""
        if self._shown == (plugin, package):
            return
        before = self.plugin
        self._shown = (plugin, package)
        self._title.set_text(plugin.title)
        self._kind.setText(KIND_WORDS[plugin.kind])
        self._version.setText(plugin.version[:40])
        self.switch.blockSignals(True)
        self.switch.setChecked(plugin.enabled)
        self.switch.blockSignals(False)
        self.switch.setAccessibleName(f"{plugin.title} is switched on")
        self._state.setText("On" if plugin.enabled else "Off")
        self._facts.set_facts(_facts(plugin, package))
        self.remove.setVisible(plugin.kind in _REMOVE)
        self.remove.setText(_REMOVE.get(plugin.kind, ""))
        # To unlink loses nothing.
        self.remove.setProperty("variant", None if plugin.kind == "linked" else "danger")
        restyle(self.remove)
        self.remove.setAccessibleName(f"{_REMOVE.get(plugin.kind, '').rstrip('…')} {plugin.title}")
        self.folder.setVisible(bool(plugin.place))
        self._show_trouble(plugin)
        self._show_operations(plugin)
        if before is None or before.name != plugin.name:
            self._scroll.verticalScrollBar().setValue(0)

    def show_environments(self, wanted: Sequence[Wanted], *, making: str = "") -> None:
        """The environments that the shown plugin's jobs need; hidden where they need none."""
        self._environment_card.setVisible(bool(wanted))
        self.environments.show_environments(wanted, making=making)

    def _show_trouble(self, plugin: PluginRecord) -> None:
        self.failure.setVisible(plugin.enabled and plugin.failure is not None and not plugin.pending)
        if plugin.failure is not None:
            remedy = (
                "Mend it or remove it; it is tried again when its files change, and with Reload. "
                "Nothing else is harmed by it."
            )
            self.failure.show_message("bad", plugin.failure.reason, remedy, plugin.failure.traceback)
        self._off.setVisible(not plugin.enabled)

    def _show_operations(self, plugin: PluginRecord) -> None:
        for card in (*self.cards, *self.offered):
            card.hide()
            card.setParent(None)
            card.deleteLater()
        self.cards = []
        for entry in plugin.operations:
            card = OperationCard(self._theme, entry, usable=plugin.enabled, parent=self._inner)
            card.open_wanted.connect(self.open_wanted)
            self._operations.addWidget(card)
            card.show()
            self.cards.append(card)
        drafters = [drafter_card(self._theme, each, self._inner) for each in plugin.drafters]
        readers = [reader_card(self._theme, each, self._inner) for each in plugin.readers]
        metrics = [metric_card(self._theme, each, self._inner) for each in plugin.metrics]
        trainings = [training_card(self._theme, each, self._inner) for each in plugin.trainings]
        self.offered = [*drafters, *readers, *metrics, *trainings]
        for offered in self.offered:
            self._operations.addWidget(offered)
            offered.show()

    def _open_folder(self) -> None:
        plugin = self.plugin
        if plugin is not None:
            place = Path(plugin.place)
            open_folder(place.parent if plugin.kind == "file" else place)

    def _build(self) -> None:
        self._inner = QWidget()
        column = QVBoxLayout(self._inner)
        column.setContentsMargins(0, 0, 8, 0)
        column.setSpacing(12)
        column.addWidget(self._build_head())
        column.addWidget(self._build_environments())
        self._operations = QVBoxLayout()
        self._operations.setSpacing(12)
        column.addLayout(self._operations)
        column.addStretch(1)
        self._inner.setMaximumWidth(_WIDTH)
        self._scroll = QScrollArea()
        self._scroll.setWidgetResizable(True)
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._scroll.setWidget(self._inner)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._scroll)

    def _build_environments(self) -> QWidget:
        self._environment_card = Card("Environment of its own", self._inner)
        self._environment_card.column.addWidget(
            label(
                "It requires what Tenfold lacks, or has in another version. Its jobs run in a Python of "
                "their own: the first of them makes it, which downloads the packages, and the next use it.",
                "second",
                self._environment_card,
                wrap=True,
            )
        )
        self.environments = EnvironmentRows(self._environment_card)
        self._environment_card.column.addWidget(self.environments)
        self._environment_card.hide()
        return self._environment_card

    def _build_head(self) -> QWidget:
        card = Card(parent=self._inner)
        self._title = WrappedTitle(pixels=17, lines=2, parent=card)
        self._state = label("", "second", card)
        self.switch = Switch(card)
        self.switch.toggled.connect(self.switched)
        switching = QWidget(card)
        beside = QHBoxLayout(switching)
        beside.setContentsMargins(0, 0, 0, 0)
        beside.setSpacing(8)
        beside.addWidget(self._state, 0, Qt.AlignmentFlag.AlignVCenter)
        beside.addWidget(self.switch, 0, Qt.AlignmentFlag.AlignVCenter)
        row = QHBoxLayout()
        row.setSpacing(12)
        row.addWidget(self._title, 1)
        row.addWidget(switching, 0, Qt.AlignmentFlag.AlignTop)
        self._kind = Badge("", "neutral", card)
        self._version = Badge("", "neutral", card)
        badges = QHBoxLayout()
        badges.setSpacing(6)
        badges.addWidget(self._kind)
        badges.addWidget(self._version)
        badges.addStretch(1)
        self.failure = MessageBar("bad", "", "", "", card)
        self.failure.hide()
        self._off = MessageBar(
            "info", "It is switched off: it is not imported, and its operations are not offered.", parent=card
        )
        self._off.hide()
        self._facts = FactGrid(card)
        self.folder = QPushButton("Open folder", card)
        self.folder.clicked.connect(self._open_folder)
        self.remove = QPushButton("", card)
        self.remove.clicked.connect(self.remove_wanted)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        buttons.addWidget(self.folder)
        buttons.addWidget(self.remove)
        buttons.addStretch(1)
        for part in (row, badges, self.failure, self._off, self._facts, buttons):
            if isinstance(part, QWidget):
                card.column.addWidget(part)
            else:
                card.column.addLayout(part)
        return card


def _facts(plugin: PluginRecord, package: InstalledPackage | None) -> list[Fact]:
    facts = [Fact("Module", plugin.name)]
    if plugin.package:
        facts.append(Fact("Package", f"{plugin.package} {plugin.version}".strip()))
    if plugin.place:
        facts.append(Fact("Place", plugin.place))
    if package is not None:
        facts += [Fact("Author", package.author)] if package.author else []
        facts += [Fact("Licence", package.licence)] if package.licence else []
        facts.append(Fact("Size", show.bytes(package.size_bytes)))
        facts.append(Fact("Installed", f"{show.date(package.installed_at)}, from {package.origin}"))
    return facts
