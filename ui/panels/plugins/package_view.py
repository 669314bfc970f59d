"""What a package is, before it is installed: everything that it says of itself, and what it may do."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QListWidget, QScrollArea, QVBoxLayout, QWidget

from ui import format as show
from ui.widgets.card import label
from ui.widgets.fact_grid import Fact, FactGrid
from ui.widgets.message import MessageBar
from ui.widgets.model_title import WrappedTitle
from ui.widgets.proof_card_fold import Fold
from workbench.plugin_home.facts import PackageFacts
from workbench.plugin_home.installing import RIGHTS

_SOURCES = {
    "wheel": "a wheel",
    "folder": "a source folder",
    "file": "a single file",
    "fetched": "fetched from the package index",
}
_FILES_HEIGHT = 150


class PackageView(QScrollArea):
    """Nothing of the package has been run when this is shown."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName("What would be installed")
        inner = QWidget()
        self._title = WrappedTitle(pixels=17, lines=2, parent=inner)
        self._summary = label("", "second", inner, wrap=True)
        self._summary.setTextFormat(Qt.TextFormat.PlainText)
        self.warning = MessageBar("warn", "It runs with your rights", RIGHTS, parent=inner)
        self.builds = MessageBar(
            "info",
            "Installing it runs a program",
            "A folder is built first by the program that its pyproject.toml names, which may be downloaded. "
            "Linking the folder builds nothing.",
            parent=inner,
        )
        self._facts = FactGrid(inner)
        self._files = QListWidget(inner)
        self._files.setAccessibleName("Files of the package")
        self._files.setFixedHeight(_FILES_HEIGHT)
        self._files.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.fold = Fold("", self._files, inner)
        column = QVBoxLayout(inner)
        column.setContentsMargins(0, 0, 8, 0)
        column.setSpacing(12)
        for each in (self._title, self._summary, self.warning, self._facts, self.builds, self.fold):
            column.addWidget(each)
        column.addStretch(1)
        self.setWidget(inner)

    def show_package(self, facts: PackageFacts) -> None:
        self._title.set_text(f"{facts.name} {facts.version}".strip())
        self._summary.setText(facts.summary or "It does not say what it does.")
        self._facts.set_facts(_lines(facts))
        self.builds.setVisible(facts.builds)
        self._files.clear()
        self._files.addItems([f"{each.name}   {show.bytes(each.size_bytes)}" for each in facts.files])
        count = len(facts.files)
        self.fold.button.setText(
            f"{count} {'file' if count == 1 else 'files'}, {show.bytes(facts.size_bytes)}"
        )
        self.fold.unfold(False)
        self.fold.setVisible(bool(facts.files))
        self.verticalScrollBar().setValue(0)


def _lines(facts: PackageFacts) -> list[Fact]:
    offers = ", ".join(each.name for each in facts.entry_points)
    modules = ", ".join(each.module for each in facts.entry_points)
    lines = [
        Fact("Author", facts.author or "not named"),
        Fact("Licence", facts.licence or "not named"),
        Fact("Plugins", offers, f"{offers}: {modules}"),
        Fact("Requires", ", ".join(facts.requires) or "nothing"),
    ]
    if facts.missing:
        lines.append(Fact("Downloaded for it", f"{', '.join(facts.missing)}, into an environment of its own"))
    if facts.home_page:
        lines.append(Fact("Home page", facts.home_page))
    lines.append(Fact("Is", _SOURCES[facts.source]))
    if facts.source != "fetched":
        lines.append(Fact("Lies at", str(facts.path)))
    return [*lines, Fact("SHA-256", facts.digest)]
