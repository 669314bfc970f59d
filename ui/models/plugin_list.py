"""The plugins as rows of a list, narrowed by words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from workbench.catalogue_entry import PluginRecord

_Index = QModelIndex | QPersistentModelIndex

#: Those that the person brought come first: ours are always there.
_ORDER = {"linked": 0, "file": 1, "installed": 2, "environment": 3, "ours": 4}
KIND_WORDS = {
    "ours": "part of Tenfold",
    "environment": "from the Python environment",
    "installed": "installed",
    "linked": "linked folder",
    "file": "single file",
}


class PluginListModel(QAbstractListModel):
    """Knows every plugin; shows those that match."""

    PLUGIN_ROLE = Qt.ItemDataRole.UserRole + 1

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._all: list[PluginRecord] = []
        self._rows: list[PluginRecord] = []
        self._words: list[str] = []

    @property
    def plugins(self) -> Sequence[PluginRecord]:
        """All of them, shown or not."""
        return self._all

    def set_plugins(self, plugins: Sequence[PluginRecord]) -> None:
        ordered = sorted(plugins, key=lambda each: (_ORDER[each.kind], each.title.casefold()))
        if ordered != self._all:
            self._all = ordered
            self._narrow()

    def set_search(self, text: str) -> None:
        """Show plugins in which every word occurs: in their names, or in what they offer."""
        self._words = text.casefold().split()
        self._narrow()

    def plugin(self, row: int) -> PluginRecord | None:
        return self._rows[row] if 0 <= row < len(self._rows) else None

    def row_of(self, name: str) -> int:
        """Where a plugin stands, by its name in specs; -1 where it is not shown."""
        return next((row for row, each in enumerate(self._rows) if each.name == name), -1)

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        return 0 if parent.isValid() else len(self._rows)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        plugin = self.plugin(index.row())
        if plugin is None:
            return None
        if role == self.PLUGIN_ROLE:
            return plugin
        if role == Qt.ItemDataRole.DisplayRole:
            return plugin.title
        if role == Qt.ItemDataRole.ToolTipRole:
            return f"{plugin.title}\n{plugin.source}"
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{plugin.title}, {state_words(plugin)}, {second_line(plugin)}"
        return None

    def _narrow(self) -> None:
        self.beginResetModel()
        self._rows = [each for each in self._all if all(word in _text(each) for word in self._words)]
        self.endResetModel()


def state_words(plugin: PluginRecord) -> str:
    """Whether it is of use now, in a word or two."""
    if not plugin.enabled:
        return "off"
    if plugin.pending:
        return "looking …"
    if plugin.failure is not None:
        return "failed"
    return "on"


def second_line(plugin: PluginRecord) -> str:
    """What stands under a plugin's title."""
    if state_words(plugin) == "failed" and plugin.failure is not None:
        return plugin.failure.reason
    offered = ", ".join(each.title for each in plugin.offered)
    where = plugin.version if plugin.kind in ("installed", "environment") else ""
    kind = "" if plugin.kind == "ours" else KIND_WORDS[plugin.kind]
    return " · ".join(part for part in (kind, where, offered) if part) or KIND_WORDS[plugin.kind]


def _text(plugin: PluginRecord) -> str:
    offered = " ".join(f"{each.name} {each.title}" for each in plugin.offered)
    groups = " ".join(each.group for each in plugin.operations)
    endings = " ".join(suffix for each in plugin.readers for suffix in each.suffixes)
    named = f"{plugin.title} {plugin.name} {plugin.package} {KIND_WORDS[plugin.kind]}"
    return f"{named} {state_words(plugin)} {offered} {groups} {endings}".casefold()
