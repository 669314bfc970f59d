"""What a job published and what it said: artifacts with their hashes, states, messages, by the clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QGuiApplication, QKeySequence
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from ui import format
from ui.widgets.job_words import state_word
from workbench.jobs.events import (
    Artifact,
    Error,
    Event,
    EventTail,
    Log,
    Machine,
    Metric,
    Progress,
    Spec,
    State,
)

#: The end of an event file that is read to fill the table; states and artifacts stand near the end.
_TAIL_BYTES = 512 * 1024

_KEPT = 500


def recent_events(path: Path) -> list[Event]:
    """The events at the end of a job's file that a person may want to read, oldest first."""
    try:
        size = path.stat().st_size
    except OSError:
        return []
    tail = EventTail(path, max(size - _TAIL_BYTES, 0))
    # Where the tail begins inside a line, that line counts as damaged and is left out.
    events = [event for event in tail.read(_TAIL_BYTES) if _tells(event)]
    if size > _TAIL_BYTES:
        events = EventTail(path).read(16 * 1024)[:1] + events
    return [event for event in events if _tells(event)]


def artifacts(events: Iterable[Event]) -> tuple[Artifact, ...]:
    """What was published last under each path."""
    return tuple({event.path: event for event in events if isinstance(event, Artifact)}.values())


class JobHistory(QWidget):
    """The history tab of a job."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.events: deque[Event] = deque(maxlen=_KEPT)
        self.table = QTableWidget(0, 3)
        self.table.setAccessibleName("What the job reported")
        self.table.setHorizontalHeaderLabels(["Time", "What", "Details"])
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(30)
        self.table.setShowGrid(False)
        self.table.setWordWrap(False)
        self.table.setTabKeyNavigation(False)
        self.table.setFrameShape(QTableWidget.Shape.NoFrame)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        header = self.table.horizontalHeader()
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Fixed)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.Fixed)
        header.setSectionResizeMode(2, QHeaderView.ResizeMode.Stretch)
        header.setHighlightSections(False)
        self.table.setColumnWidth(0, 110)
        self.table.setColumnWidth(1, 120)
        copy = QAction("Copy", self.table)
        copy.setShortcut(QKeySequence.StandardKey.Copy)
        copy.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        copy.triggered.connect(self._copy)
        self.table.addAction(copy)
        self.table.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.table)

    def set_events(self, events: Iterable[Event]) -> None:
        self.events = deque((event for event in events if _tells(event)), maxlen=_KEPT)
        self.table.setRowCount(0)
        for event in self.events:
            self._show(event)
        self.table.scrollToBottom()

    def add_events(self, events: Iterable[Event]) -> None:
        new = [event for event in events if _tells(event)]
        self.events.extend(new)
        for event in new:
            self._show(event)
        while self.table.rowCount() > _KEPT:
            self.table.removeRow(0)
        if new:
            self.table.scrollToBottom()

    def _show(self, event: Event) -> None:
        row = self.table.rowCount()
        self.table.insertRow(row)
        what, details = _told(event)
        time = datetime.fromtimestamp(event.t).strftime("%H:%M:%S")
        for column, text in enumerate((time, what, details)):
            item = QTableWidgetItem(text)
            item.setToolTip(text)
            self.table.setItem(row, column, item)

    def _copy(self) -> None:
        rows = sorted({index.row() for index in self.table.selectedIndexes()})
        lines = ["\t".join(self.table.item(row, column).text() for column in range(3)) for row in rows]
        QGuiApplication.clipboard().setText("\n".join(lines))


class ParameterTable(QTableWidget):
    """The parameters tab: names and values as the job was given them."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(0, 2, parent)
        self.setAccessibleName("Parameters")
        self.setHorizontalHeaderLabels(["Parameter", "Value"])
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(30)
        self.setShowGrid(False)
        self.setTabKeyNavigation(False)
        self.setFrameShape(QTableWidget.Shape.NoFrame)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        header = self.horizontalHeader()
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Fixed)
        header.setStretchLastSection(True)
        header.setHighlightSections(False)
        self.setColumnWidth(0, 200)

    def set_rows(self, rows: Iterable[tuple[str, Any]]) -> None:
        listed = list(rows)
        self.setRowCount(len(listed))
        for row, (name, value) in enumerate(listed):
            for column, text in enumerate((name, _shown(value))):
                item = QTableWidgetItem(text)
                item.setToolTip(text)
                self.setItem(row, column, item)


def _tells(event: Event) -> bool:
    return not isinstance(event, Progress | Metric)


def _told(event: Event) -> tuple[str, str]:
    match event:
        case Spec():
            return "created", str(event.spec.get("title", ""))
        case State():
            return state_word(event.state), event.reason
        case Artifact():
            size = format.bytes(event.size_bytes)
            return "published", f"{event.name or Path(event.path).name} · {size} · sha256 {event.sha256}"
        case Error():
            return "error", f"{event.message} {event.remedy}".rstrip()
        case Machine():
            return "machine", event.words
        case Log():
            return ("log" if event.level == "info" else event.level), event.text
    return "", ""


def _shown(value: Any) -> str:
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value or "empty"
    if value in ({}, []):
        return "none"
    return msgspec.json.encode(value).decode() if isinstance(value, dict | list) else str(value)
