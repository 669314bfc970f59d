"""The list of further folders in which “Find on this computer” looks for models."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QListWidget, QPushButton, QVBoxLayout, QWidget

from ui.widgets.card import label

_ROWS = 4


class FoldersEditor(QWidget):
    """Signals:
    edited: The folders as they should be now.
    """

    edited = Signal(tuple)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._folders: tuple[str, ...] = ()
        self.view = _FolderList()
        self.view.setAccessibleName("Extra model folders")
        self.view.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.view.setFixedHeight(30 * _ROWS)
        self._none = label(
            "None. Hugging Face, LM Studio and Ollama are looked into without being named.", "second"
        )
        self._none.setWordWrap(True)
        self.add = QPushButton("Add folder…")
        self.remove = QPushButton("Remove")
        self.remove.setAccessibleName("Remove the chosen folder from the list")
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self.add)
        row.addWidget(self.remove)
        row.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self._none)
        column.addWidget(self.view)
        column.addLayout(row)
        self.add.clicked.connect(self._ask)
        self.remove.clicked.connect(self._remove)
        self.view.delete_pressed.connect(self._remove)
        self.view.currentRowChanged.connect(lambda row: self.remove.setEnabled(row >= 0))
        self.set_folders(())

    def set_folders(self, folders: tuple[str, ...]) -> None:
        self._folders = folders
        self.view.clear()
        self.view.addItems(list(folders))
        self.view.setVisible(bool(folders))
        self.remove.setVisible(bool(folders))
        self.remove.setEnabled(False)
        self._none.setVisible(not folders)

    def add_folder(self, folder: Path) -> None:
        """Put one more at the end; one that is there already stays as it is."""
        if str(folder) not in self._folders:
            self.edited.emit((*self._folders, str(folder)))

    def _ask(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Choose a folder that holds models")
        if chosen:
            self.add_folder(Path(chosen))

    def _remove(self) -> None:
        row = self.view.currentRow()
        if row >= 0:
            self.edited.emit(tuple(each for place, each in enumerate(self._folders) if place != row))


class _FolderList(QListWidget):
    delete_pressed = Signal()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Delete:
            self.delete_pressed.emit()
            return
        super().keyPressEvent(event)
