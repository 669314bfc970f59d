"""The list of conversations: search, open, rename, delete, export."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QPoint, Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QFileDialog,
    QInputDialog,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QMenu,
    QMessageBox,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from ui import format
from workbench.chat.conversations import Conversation, Conversations
from workbench.chat.export import as_json, as_markdown
from workbench.errors import DiskFullError, UsageError, WorkbenchError

_SETTLE_MS = 150


class History(QWidget):
    """See the module.

    Signals:
        chosen: The id of a conversation to show.
        new_wanted: Begin another.
        gone: The id of a conversation that was deleted.
        exported: A file was written; carries its path.
        failed: Carries a `WorkbenchError`.
    """

    chosen = Signal(str)
    new_wanted = Signal()
    gone = Signal(str)
    exported = Signal(object)
    failed = Signal(object)

    def __init__(self, conversations: Conversations, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._conversations = conversations
        self.new_button = QPushButton("New conversation")
        self.new_button.clicked.connect(self.new_wanted)
        self.search = QLineEdit()
        self.search.setPlaceholderText("Search conversations")
        self.search.setAccessibleName("Search conversations")
        self.search.setClearButtonEnabled(True)
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(_SETTLE_MS)
        self._soon.timeout.connect(self.refresh)
        self.search.textChanged.connect(lambda _text: self._soon.start())
        self.list = QListWidget()
        self.list.setAccessibleName("Conversations")
        self.list.setObjectName("history")
        self.list.setUniformItemSizes(True)
        self.list.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.list.customContextMenuRequested.connect(self._menu)
        self.list.currentItemChanged.connect(self._current_changed)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.new_button)
        column.addWidget(self.search)
        column.addWidget(self.list, 1)

    def refresh(self) -> None:
        """Read the list anew; the chosen conversation stays chosen."""
        chosen = self.current_id()
        self.list.blockSignals(True)
        self.list.clear()
        for each in self._conversations.search(self.search.text()):
            item = QListWidgetItem(each.title or "New conversation")
            item.setData(Qt.ItemDataRole.UserRole, each.id)
            item.setToolTip(f"{each.title or 'New conversation'}\n{format.date(each.updated_at)}")
            self.list.addItem(item)
        self.list.blockSignals(False)
        if chosen is not None:
            self.mark(chosen)

    def current_id(self) -> str | None:
        """The conversation that is marked."""
        item = self.list.currentItem()
        return str(item.data(Qt.ItemDataRole.UserRole)) if item is not None else None

    def mark(self, id: str | None) -> None:
        """Mark a conversation without opening it."""
        self.list.blockSignals(True)
        self.list.setCurrentRow(-1)
        for row in range(self.list.count()):
            item = self.list.item(row)
            if item is not None and item.data(Qt.ItemDataRole.UserRole) == id:
                self.list.setCurrentRow(row)
        self.list.blockSignals(False)

    def rename(self) -> None:
        """Ask for another name of the marked conversation."""
        found = self._marked()
        if found is None:
            return
        title, agreed = QInputDialog.getText(self, "Rename", "Name of the conversation", text=found.title)
        if agreed and title.strip():
            self._conversations.rename(found.id, title)
            self.refresh()

    def delete(self) -> None:
        """Ask, and delete the marked conversation."""
        found = self._marked()
        if found is None:
            return
        asked = QMessageBox.question(
            self, "Delete", f"Delete “{found.title or 'New conversation'}” with everything that was said?"
        )
        if asked == QMessageBox.StandardButton.Yes:
            self._conversations.delete(found.id)
            self.refresh()
            self.gone.emit(found.id)

    def export(self) -> None:
        """Ask for a file, and write the marked conversation."""
        found = self._marked()
        if found is None:
            return
        name = (
            "".join(sign for sign in found.title if sign.isalnum() or sign in " -_").strip() or "conversation"
        )
        chosen, _ = QFileDialog.getSaveFileName(
            self, "Export", f"{name}.md", "Markdown (*.md);;JSON (*.json)"
        )
        if chosen:
            self.write(found.id, Path(chosen))

    def write(self, id: str, path: Path) -> None:
        """Write a conversation: every branch as JSON by its name, or the one looked at as Markdown."""
        found = self._conversations.get(id)
        if path.suffix.lower() == ".json":
            text = as_json(found, self._conversations.all_turns(id))
        else:
            text = as_markdown(found, self._conversations.path(id))
        try:
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            full = DiskFullError(path) if error.errno == 28 else None
            self.failed.emit(full or UsageError(f"{path.name} can't be written: {error.strerror}."))
            return
        self.exported.emit(path)

    def _marked(self) -> Conversation | None:
        id = self.current_id()
        if id is None:
            return None
        try:
            return self._conversations.get(id)
        except WorkbenchError as error:
            self.failed.emit(error)
            self.refresh()
            return None

    def _current_changed(self, item: QListWidgetItem | None) -> None:
        if item is not None:
            self.chosen.emit(str(item.data(Qt.ItemDataRole.UserRole)))

    def _menu(self, where: QPoint) -> None:
        if self.list.itemAt(where) is None:
            return
        menu = QMenu(self)
        for title, act in (("Rename…", self.rename), ("Export…", self.export), ("Delete…", self.delete)):
            menu.addAction(title, act)
        menu.exec(self.list.viewport().mapToGlobal(where))
