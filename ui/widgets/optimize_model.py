"""The choice of a model: type a part of its name, or open the list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal
from PySide6.QtWidgets import QComboBox, QCompleter, QListView, QWidget

from ui import format
from ui.widgets.elided_line_edit import ElidedLineEdit
from ui.widgets.form_inputs import CalmComboBox
from workbench.library.records import ModelRecord

_Index = QModelIndex | QPersistentModelIndex


class _Records(QAbstractListModel):
    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.records: Sequence[ModelRecord] = ()

    def take(self, records: Sequence[ModelRecord]) -> None:
        self.beginResetModel()
        self.records = records
        self.endResetModel()

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        return 0 if parent.isValid() else len(self.records)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not 0 <= index.row() < len(self.records):
            return None
        record = self.records[index.row()]
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole):
            # An adapter answers through its base: its kind tells it from a model.
            return f"{record.name} · {record.quantization}" if record.format == "adapter" else record.name
        if role == Qt.ItemDataRole.ToolTipRole:
            return f"{record.name}\n{record.quantization} · {format.bytes(record.size_bytes)}\n{record.path}"
        if role == Qt.ItemDataRole.UserRole:
            return record.id
        return None


class ModelChooser(CalmComboBox):
    """Chooses one of the library's models.

    Signals:
        chosen: Another model was chosen; carries its id.
    """

    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._records = _Records(self)
        self._id: str | None = None
        self.setModel(self._records)
        self.setLineEdit(ElidedLineEdit(self))
        self.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.setAccessibleName("Model")
        self.setMaxVisibleItems(14)
        self.lineEdit().setPlaceholderText("Choose a model")
        self.lineEdit().setAccessibleName("Model")
        view = QListView()
        # Without this a list of ten thousand models is measured row by row when it opens.
        view.setUniformItemSizes(True)
        self.setView(view)
        completer = QCompleter(self._records, self)
        completer.setFilterMode(Qt.MatchFlag.MatchContains)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        completer.setCompletionRole(Qt.ItemDataRole.DisplayRole)
        completer.setMaxVisibleItems(12)
        self.setCompleter(completer)
        self.activated.connect(self._activated)
        self.lineEdit().editingFinished.connect(self._show_current)

    def set_records(self, records: Sequence[ModelRecord]) -> None:
        """Offer these models; the chosen one stays where it is still there."""
        self.blockSignals(True)
        self._records.take(records)
        self.blockSignals(False)
        if self._id is not None and all(record.id != self._id for record in records):
            self._id = None
        self._show_current()

    def current_id(self) -> str | None:
        return self._id

    def choose(self, model_id: str | None) -> None:
        if model_id == self._id:
            self._show_current()
            return
        known = model_id if any(record.id == model_id for record in self._records.records) else None
        self._id = known
        self._show_current()
        if known is not None:
            self.chosen.emit(known)

    def _activated(self, row: int) -> None:
        if 0 <= row < len(self._records.records):
            self.choose(self._records.records[row].id)

    def _show_current(self) -> None:
        ids = [record.id for record in self._records.records]
        row = ids.index(self._id) if self._id in ids else -1
        self.blockSignals(True)
        self.setCurrentIndex(row)
        if row < 0:
            self.lineEdit().clear()
        self.blockSignals(False)
        self.lineEdit().setCursorPosition(0)
        self.setToolTip(str(self._records.index(row).data(Qt.ItemDataRole.ToolTipRole)) if row >= 0 else "")
