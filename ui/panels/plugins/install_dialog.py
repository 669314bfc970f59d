"""Asks what to install, shows what it is and what it may do, and installs it once the person agreed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from ui.json_process import JsonProcess
from ui.panels.plugins.package_view import PackageView
from ui.widgets.card import Card, label
from ui.widgets.elided_label import ElidedLabel
from ui.widgets.message import MessageBar
from workbench.errors import WorkbenchError
from workbench.home import Home
from workbench.plugin_home import installing
from workbench.plugin_home.facts import PackageFacts

_MODULE = "workbench.plugin_home.process"
_CHOOSE, _WORK, _SHOW = range(3)


class InstallDialog(QDialog):
    """Accepted once something was installed or linked; `told` then says what.

    Looking and installing are done in a process of their own, which ends with the dialog.
    """

    def __init__(self, home: Home, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.told = ""
        self._home = home
        self._facts: PackageFacts | None = None
        self._process = JsonProcess(_MODULE, self)
        self._process.answered.connect(self._take)
        self._process.failed.connect(self._fail)
        self.setWindowTitle("Install a plugin")
        self.resize(640, 600)
        self._build()
        self._turn_to(_CHOOSE)

    @property
    def facts(self) -> PackageFacts | None:
        """What is shown now."""
        return self._facts

    def look_at(self, path: Path) -> None:
        """Read what a wheel, a folder or a file is; nothing of it runs."""
        self._work(f"Looking at {path.name} …", ["inspect", str(path)])

    def look_up(self) -> None:
        """Fetch the package that is named in the field, and read what it is."""
        name = self.name.text().strip()
        if name:
            self._work(f"Fetching {name} …", ["fetch", name])

    def agree(self) -> None:
        """Install what is shown."""
        if self._facts is not None:
            path, digest = str(self._facts.path), self._facts.digest
            self._work(f"Installing {self._facts.name} …", ["install", path, digest])

    def link(self) -> None:
        """Use the shown folder where it lies."""
        if self._facts is None:
            return
        try:
            installing.link(self._home, self._facts.path)
        except WorkbenchError as error:
            self._fail(error)
            return
        self.told = f"{self._facts.name} is used from its folder: each job runs what the folder holds then."
        self.accept()

    def done(self, result: int) -> None:
        self._process.stop()
        if self._facts is not None and not self.told:
            installing.discard(self._home, self._facts.path)
        super().done(result)

    def _work(self, words: str, arguments: list[str]) -> None:
        self._problem.hide()
        self._doing.setText(words)
        self._line.setText("")
        self._turn_to(_WORK)
        self._process.ask(arguments, {"TENFOLD_HOME": str(self._home.root)})

    def _take(self, answer: dict[str, Any]) -> None:
        if "line" in answer:
            self._line.setText(str(answer["line"]))
        elif "facts" in answer:
            self._show(PackageFacts.model_validate(answer["facts"]))
        elif "done" in answer:
            self.told = str(answer["done"])
            self.accept()

    def _show(self, facts: PackageFacts) -> None:
        self._facts = facts
        self.package.show_package(facts)
        self.link_button.setVisible(facts.source == "folder")
        self.install_button.setText("Install a copy" if facts.source == "folder" else "Install")
        self._turn_to(_SHOW)
        self.back.setFocus()

    def _fail(self, error: WorkbenchError) -> None:
        self._problem.show_message("bad", error.message, error.remedy, error.details)
        self._problem.show()
        self._turn_to(_SHOW if self._facts is not None else _CHOOSE)

    def _go_back(self) -> None:
        self._process.stop()
        if self._facts is not None:
            installing.discard(self._home, self._facts.path)
        self._facts = None
        self._problem.hide()
        self._turn_to(_CHOOSE)
        self.folder.setFocus()

    def _stop(self) -> None:
        self._process.stop()
        self._turn_to(_SHOW if self._facts is not None else _CHOOSE)

    def _turn_to(self, step: int) -> None:
        self._stack.setCurrentIndex(step)
        self.back.setVisible(step == _SHOW)
        self.install_button.setVisible(step == _SHOW)
        folder = self._facts is not None and self._facts.source == "folder"
        self.link_button.setVisible(step == _SHOW and folder)
        self.stop.setVisible(step == _WORK)
        self.close_button.setVisible(step != _WORK)

    def _ask_folder(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Choose the folder of a plugin")
        if chosen:
            self.look_at(Path(chosen))

    def _ask_file(self) -> None:
        chosen, _ = QFileDialog.getOpenFileName(
            self, "Choose a wheel or a Python file", "", "Plugins (*.whl *.py)"
        )
        if chosen:
            self.look_at(Path(chosen))

    def _build(self) -> None:
        self._problem = MessageBar("bad", "", parent=self)
        self._problem.hide()
        self._stack = QStackedWidget(self)
        self._stack.addWidget(self._build_choice())
        self._stack.addWidget(self._build_work())
        self.package = PackageView(self._stack)
        self._stack.addWidget(self.package)
        self.back = QPushButton("Back", self)
        self.back.clicked.connect(self._go_back)
        self.close_button = QPushButton("Cancel", self)
        self.close_button.clicked.connect(self.reject)
        self.stop = QPushButton("Stop", self)
        self.stop.clicked.connect(self._stop)
        self.link_button = QPushButton("Link the folder", self)
        self.link_button.setToolTip("Each job runs what the folder holds then: for a plugin that you develop")
        self.link_button.clicked.connect(self.link)
        self.install_button = QPushButton("Install", self)
        self.install_button.setProperty("variant", "primary")
        self.install_button.clicked.connect(self.agree)
        for button in (self.back, self.close_button, self.stop, self.link_button, self.install_button):
            # Return in the name's field looks the name up, and agrees to nothing.
            button.setAutoDefault(False)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self.back)
        row.addStretch(1)
        for button in (self.close_button, self.stop, self.link_button, self.install_button):
            row.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 22, 24, 20)
        column.setSpacing(14)
        column.addWidget(label("Install a plugin", "title", self))
        column.addWidget(self._problem)
        column.addWidget(self._stack, 1)
        column.addLayout(row)

    def _build_choice(self) -> QWidget:
        self.folder = QPushButton("Choose a folder…")
        self.folder.setAutoDefault(False)
        self.folder.clicked.connect(self._ask_folder)
        self.file = QPushButton("Choose a file…")
        self.file.setAutoDefault(False)
        self.file.clicked.connect(self._ask_file)
        self.name = QLineEdit()
        self.name.setPlaceholderText("for example tenfold-extra, or tenfold-extra==1.2")
        self.name.setAccessibleName("The package's name")
        self.name.returnPressed.connect(self.look_up)
        self.fetch = QPushButton("Look it up")
        self.fetch.setAutoDefault(False)
        self.fetch.setEnabled(False)
        self.fetch.clicked.connect(self.look_up)
        self.name.textChanged.connect(lambda text: self.fetch.setEnabled(bool(text.strip())))
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        column.addWidget(
            label(
                "You see what it is before anything of it runs. It goes into this home, never into Tenfold’s "
                "own environment.",
                "second",
                wrap=True,
            )
        )
        for title, words, parts in (
            ("A folder", "The source of a plugin, with its pyproject.toml.", (self.folder,)),
            ("A file", "A wheel (.whl), or a plugin of a single file (.py).", (self.file,)),
            (
                "A package by its name",
                "This uses the network: it is fetched from where pip or uv get packages on this machine.",
                (self.name, self.fetch),
            ),
        ):
            card = Card(title, page)
            card.column.setSpacing(8)
            card.column.addWidget(label(words, "caption", wrap=True))
            row = QHBoxLayout()
            row.setSpacing(8)
            for part in parts:
                row.addWidget(part, 1 if part is self.name else 0)
            if self.name not in parts:
                row.addStretch(1)
            card.column.addLayout(row)
            column.addWidget(card)
        column.addStretch(1)
        return page

    def _build_work(self) -> QWidget:
        page = QWidget()
        self._doing = label("", "section", wrap=True)
        self._line = ElidedLabel("", Qt.TextElideMode.ElideRight, page)
        self._line.setProperty("role", "caption")
        self._line.setAccessibleName("What the installer says")
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addStretch(1)
        column.addWidget(self._doing)
        column.addWidget(self._line)
        column.addStretch(2)
        return page
