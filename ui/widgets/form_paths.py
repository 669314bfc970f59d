"""Inputs for paths: a line with Browse for one, and a list that grows for several."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMenu,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from workbench.params import FOLDER


class PathInput(QWidget):
    """A path with Browse; a file may also be dropped on it.

    Args:
        title: The field's title, for the dialog and screen readers.
        suffixes: Endings that the file may have, for example `(".gguf",)`, and `/` where it may be a folder;
            empty for any.
    """

    edited = Signal()

    def __init__(self, title: str, suffixes: tuple[str, ...], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._title = title
        self._suffixes = suffixes
        takes_file, takes_folder = _takes(suffixes)
        self.line = _path_line(title)
        self.line.setPlaceholderText("No file chosen" if takes_file else "No folder chosen")
        self.line.setClearButtonEnabled(True)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(self.line, 1)
        self.browse = QPushButton("Browse…")
        self.browse.setAccessibleName(f"Browse for {title}")
        self.browse.clicked.connect(self._choose if takes_file else self._choose_folder)
        layout.addWidget(self.browse)
        if takes_file and takes_folder:
            folder = QPushButton("Folder…")
            folder.setAccessibleName(f"Browse for a folder for {title}")
            folder.clicked.connect(self._choose_folder)
            layout.addWidget(folder)
        self.made = QPushButton("Made here")
        self.made.setAccessibleName(f"Files made here for {title}")
        self.made.setToolTip("What finished jobs made for this")
        offered = QMenu(self.made)
        offered.setToolTipsVisible(True)
        offered.triggered.connect(lambda action: self.set_value(action.data()))
        self.made.setMenu(offered)
        self.made.hide()
        layout.addWidget(self.made)
        self.line.textChanged.connect(self.edited)
        self.setFocusProxy(self.line)
        self.setAcceptDrops(True)

    def offer(self, files: Sequence[tuple[str, Path]]) -> None:
        """Let a person choose among files by what they are called; without any the button is gone."""
        menu = self.made.menu()
        menu.clear()
        for title, path in files:
            action = menu.addAction(title.replace("&", "&&"))
            action.setToolTip(str(path))
            action.setData(path)
        self.made.setVisible(bool(files))

    def value(self) -> str | None:
        return _whole(self.line.text())

    def set_value(self, value: str | Path | None) -> None:
        self.line.setText(str(value) if value else "")

    def problem(self) -> str:
        """Why the path can't be used as it stands; empty where nothing is wrong or nothing is set."""
        value = self.value()
        return path_problem(Path(value), self._suffixes) if value else ""

    def name_filter(self) -> str:
        """The filter of the file dialog, for example `Files (*.gguf *.dat);;All files (*)`."""
        return _name_filter(self._suffixes)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        _accept_files(event)

    def dropEvent(self, event: QDropEvent) -> None:
        for path in _dropped(event)[:1]:
            self.set_value(path)
            event.acceptProposedAction()

    def _start(self) -> str:
        return str(Path(self.value() or "~").expanduser())

    def _choose(self) -> None:
        chosen, _ = QFileDialog.getOpenFileName(self, self._title, self._start(), self.name_filter())
        if chosen:
            self.set_value(chosen)

    def _choose_folder(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, self._title, self._start())
        if chosen:
            self.set_value(chosen)


class PathsInput(QWidget):
    """Several paths, one a row; files may also be dropped on it.

    Args:
        title: The field's title, for the dialog and screen readers.
        suffixes: As for `PathInput`.
    """

    edited = Signal()

    def __init__(self, title: str, suffixes: tuple[str, ...], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._title = title
        self._suffixes = suffixes
        takes_file, takes_folder = _takes(suffixes)
        self._rows: list[_PathRow] = []
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(6)
        self._nothing = QLabel(
            f"No {'files' if takes_file else 'folders'} chosen. They may also be dropped here."
        )
        self._nothing.setProperty("role", "second")
        self._layout.addWidget(self._nothing)
        self.add_button = QPushButton("Add files…" if takes_file else "Add a folder…")
        self.add_button.setAccessibleName(f"Add {'files' if takes_file else 'a folder'} to {title}")
        self.add_button.clicked.connect(self._choose if takes_file else self._choose_folder)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        buttons.addWidget(self.add_button)
        if takes_file and takes_folder:
            folder = QPushButton("Add a folder…")
            folder.setAccessibleName(f"Add a folder to {title}")
            folder.clicked.connect(self._choose_folder)
            buttons.addWidget(folder)
        buttons.addStretch(1)
        self._layout.addLayout(buttons)
        self.setFocusProxy(self.add_button)
        self.setAcceptDrops(True)

    def values(self) -> list[str]:
        """The paths, whole, in the order of the rows."""
        return [path for row in self._rows if (path := _whole(row.line.text()))]

    def set_values(self, paths: Sequence[str | Path]) -> None:
        for row in self._rows:
            self._layout.removeWidget(row)
            row.deleteLater()
        self._rows.clear()
        self._append(paths)

    def add(self, paths: Sequence[str | Path]) -> None:
        """Append paths; those that are there already stay once."""
        known = set(self.values())
        self._append([path for path in dict.fromkeys(map(str, paths)) if path not in known])

    def problem(self) -> str:
        """What is wrong with the first path that can't be used; empty where nothing is."""
        paths = self.values()
        for path in paths:
            if paths.count(path) > 1:
                return f"{Path(path).name} stands there twice."
            problem = path_problem(Path(path), self._suffixes)
            if problem:
                return problem
        return ""

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        _accept_files(event)

    def dropEvent(self, event: QDropEvent) -> None:
        paths = _dropped(event)
        if paths:
            self.add(paths)
            event.acceptProposedAction()

    def _append(self, paths: Sequence[str | Path]) -> None:
        for path in paths:
            row = _PathRow(self._title)
            row.line.setText(str(path))
            row.line.textChanged.connect(self.edited)
            row.removed.connect(self._remove)
            self._rows.append(row)
            self._layout.insertWidget(self._layout.count() - 1, row)
        self._nothing.setVisible(not self._rows)
        self.edited.emit()

    def _remove(self, row: _PathRow) -> None:
        place = self._rows.index(row)
        self._rows.remove(row)
        self._layout.removeWidget(row)
        row.deleteLater()
        following = self._rows[place : place + 1]
        (following[0].remove_button if following else self.add_button).setFocus()
        self._nothing.setVisible(not self._rows)
        self.edited.emit()

    def _start(self) -> str:
        paths = self.values()
        return str(Path(paths[-1]).parent if paths else Path.home())

    def _choose(self) -> None:
        chosen, _ = QFileDialog.getOpenFileNames(
            self, self._title, self._start(), _name_filter(self._suffixes)
        )
        self.add(chosen)

    def _choose_folder(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, self._title, self._start())
        self.add([chosen] if chosen else [])


class _PathRow(QWidget):
    """One path of several."""

    removed = Signal(object)

    def __init__(self, title: str) -> None:
        super().__init__()
        self.line = _path_line(f"{title}, path")
        self.remove_button = QToolButton()
        self.remove_button.setText("×")
        self.remove_button.setToolTip("Remove this path; the file stays")
        self.remove_button.setAccessibleName(f"Remove this path from {title}")
        self.remove_button.clicked.connect(lambda: self.removed.emit(self))
        self.line.textChanged.connect(self.line.setToolTip)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(self.line, 1)
        layout.addWidget(self.remove_button)


def path_problem(path: Path, suffixes: tuple[str, ...]) -> str:
    """Why a path can't be a parameter's value; empty where it can."""
    _, takes_folder = _takes(suffixes)
    if not path.exists():
        return f"There is no file {path.name} in {path.parent}."
    endings = _endings(suffixes)
    if not suffixes or (path.is_dir() and takes_folder):
        return ""
    if not endings:
        return f"{path.name} is not a folder."
    if not path.name.lower().endswith(tuple(ending.lower() for ending in endings)):
        return f"{path.name} does not end in {' or '.join(endings)}."
    return ""


def _takes(suffixes: tuple[str, ...]) -> tuple[bool, bool]:
    """Whether a path may be a file, and whether it may be a folder that is looked for in a dialog."""
    return not suffixes or bool(_endings(suffixes)), FOLDER in suffixes


def _endings(suffixes: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(suffix for suffix in suffixes if suffix != FOLDER)


def _name_filter(suffixes: tuple[str, ...]) -> str:
    endings = _endings(suffixes)
    if not endings:
        return "All files (*)"
    return f"Files ({' '.join('*' + ending for ending in endings)});;All files (*)"


def _whole(text: str) -> str | None:
    text = text.strip()
    return str(Path(text).expanduser().absolute()) if text else None


def _path_line(accessible_name: str) -> QLineEdit:
    line = QLineEdit()
    line.setAccessibleName(accessible_name)
    # What is dropped on the line is for the whole input.
    line.setAcceptDrops(False)
    return line


def _accept_files(event: QDragEnterEvent) -> None:
    if any(url.isLocalFile() for url in event.mimeData().urls()):
        event.acceptProposedAction()


def _dropped(event: QDropEvent) -> list[str]:
    return [url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()]
