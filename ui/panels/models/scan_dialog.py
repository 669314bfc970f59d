"""Finds models that other programs hold on this computer, and lets the person choose which to use."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from ui import format
from ui.models.add_queue import Wanted
from ui.widgets.model_words import format_title
from workbench.library.found import Found, Place
from workbench.library.scan import Scan, place_of, places

#: How long one turn of the scan may take: half of a frame at 60 Hz.
_TURN_S = 0.008
_FOUND = Qt.ItemDataRole.UserRole + 1


class ScanDialog(QDialog):
    """Scans one place after the other, a moment in each turn of the window's loop. Changes nothing itself.

    Args:
        known: Paths of the models that are in the library already.
        extra: Folders that the person named in Settings.
    """

    def __init__(
        self, known: Collection[str], extra: Sequence[str | Path], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._known = known
        self._waiting: list[Place] = list(places(extra))
        self._scan: Scan | None = None
        self._group: QTreeWidgetItem | None = None
        self._skipped = 0
        self._timer = QTimer(self)
        self._timer.setInterval(0)
        self._timer.timeout.connect(self._turn)
        self.setWindowTitle("Find on this computer")
        self.resize(720, 520)
        self._build()
        self._timer.start()

    @property
    def is_done(self) -> bool:
        return self._scan is None and not self._waiting

    def wanted(self) -> list[Wanted]:
        """What the person ticked."""
        return [
            Wanted(found.path, source=found.source, name=found.name, sha256=found.sha256)
            for item, found in self._items()
            if item.checkState(0) is Qt.CheckState.Checked
        ]

    def done(self, result: int) -> None:
        self._timer.stop()
        super().done(result)

    def _turn(self) -> None:
        if self._scan is None:
            if not self._waiting:
                self._timer.stop()
                self._show_end()
                return
            place = self._waiting.pop(0)
            self._scan = Scan(place)
            self._group = self._new_group(place)
            self._status.setText(f"Looking into {place.title} …")
        for found in self._scan.step(_TURN_S):
            self._show(found)
        if self._scan.done:
            self._skipped += len(self._scan.skipped)
            if self._group is not None and not self._group.childCount():
                self._group.setText(0, f"{self._scan.place.title}: nothing found")
            self._scan = None

    def _new_group(self, place: Place) -> QTreeWidgetItem:
        group = QTreeWidgetItem(self.list, [place.title])
        group.setFirstColumnSpanned(True)
        group.setExpanded(True)
        group.setToolTip(0, str(place.path))
        group.setFlags(Qt.ItemFlag.ItemIsEnabled)
        return group

    def _show(self, found: Found) -> None:
        known = str(found.path) in self._known
        kind = format_title(found.format)
        text = [found.name, "in the library" if known else kind, format.bytes(found.size_bytes)]
        item = QTreeWidgetItem(self._group, text)
        item.setData(0, _FOUND, found)
        item.setToolTip(0, str(found.path))
        item.setTextAlignment(2, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        if known:
            item.setFlags(Qt.ItemFlag.NoItemFlags)
        else:
            item.setFlags(
                Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsUserCheckable
            )
            item.setCheckState(0, Qt.CheckState.Checked)

    def _show_end(self) -> None:
        count = sum(1 for _ in self._items())
        words = "1 model" if count == 1 else f"{count} models"
        skipped = f" {self._skipped} files were left out as no whole model." if self._skipped else ""
        if not self.list.topLevelItemCount():
            words = "No store of Hugging Face, LM Studio or Ollama is on this computer"
        self._status.setText(f"{words}.{skipped} They are used where they lie; nothing is copied.")
        self._count()

    def _items(self) -> list[tuple[QTreeWidgetItem, Found]]:
        items = []
        for place in range(self.list.topLevelItemCount()):
            group = self.list.topLevelItem(place)
            for row in range(group.childCount() if group is not None else 0):
                item = group.child(row)
                items.append((item, item.data(0, _FOUND)))
        return items

    def _count(self) -> None:
        count = len(self.wanted())
        self.add.setText(f"Add {count}" if count else "Add")
        self.add.setEnabled(bool(count))

    def _other_folder(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Look into another folder")
        if chosen:
            self._waiting.append(place_of(Path(chosen)))
            self._timer.start()

    def _build(self) -> None:
        title = QLabel("Find on this computer")
        title.setProperty("role", "title")
        self._status = QLabel("Looking …")
        self._status.setProperty("role", "second")
        self._status.setWordWrap(True)
        self.list = QTreeWidget()
        self.list.setAccessibleName("Models found; Space ticks one")
        self.list.setHeaderLabels(["Name", "Format", "Size"])
        self.list.setRootIsDecorated(False)
        self.list.setUniformRowHeights(True)
        self.list.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        header = self.list.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.list.setColumnWidth(1, 130)
        self.list.setColumnWidth(2, 90)
        self.list.itemChanged.connect(lambda _item, _column: self._count())
        other = QPushButton("Another folder…")
        other.clicked.connect(self._other_folder)
        close = QPushButton("Cancel")
        close.clicked.connect(self.reject)
        self.add = QPushButton("Add")
        self.add.setProperty("variant", "primary")
        self.add.setEnabled(False)
        self.add.clicked.connect(self.accept)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        buttons.addWidget(other)
        buttons.addStretch(1)
        buttons.addWidget(close)
        buttons.addWidget(self.add)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 22, 24, 20)
        column.setSpacing(12)
        column.addWidget(title)
        column.addWidget(self._status)
        column.addWidget(self.list, 1)
        column.addLayout(buttons)
