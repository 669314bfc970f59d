"""The jobs as a list: running first, then those that wait in their order, then the rest, newest first."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from enum import Enum
from typing import Any

from PySide6.QtCore import (
    QAbstractListModel,
    QByteArray,
    QMimeData,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    Qt,
    Signal,
)

from ui.widgets.job_words import state_line, state_word
from workbench.jobs.records import JobRecord

_MIME = "application/x-tenfold-job"

_Index = QModelIndex | QPersistentModelIndex

#: Where a job stands, so that all jobs have one order. The last part makes every key differ.
_Key = tuple[int, float, str]


class JobFilter(Enum):
    """Which jobs a list shows."""

    ALL = "All"
    ACTIVE = "Active"
    ATTENTION = "Needs attention"
    DONE = "Done"

    def keeps(self, job: JobRecord) -> bool:
        match self:
            case JobFilter.ALL:
                return True
            case JobFilter.ACTIVE:
                return job.state in ("queued", "running", "paused")
            case JobFilter.ATTENTION:
                return job.state in ("failed", "interrupted")
            case JobFilter.DONE:
                return job.state == "done"


class JobListModel(QAbstractListModel):
    """Job records by their place in the list; an update touches its own row and no other.

    Signals:
        move_wanted: A waiting job was dropped: its id, and the id of the one that it goes before, or None.
        counts_changed: How many jobs are in which state may have changed.
    """

    move_wanted = Signal(str, object)
    counts_changed = Signal()

    JOB_ROLE = Qt.ItemDataRole.UserRole + 1

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._jobs: dict[str, JobRecord] = {}
        self._keys: list[_Key] = []
        self._filter = JobFilter.ALL
        self._search = ""

    def set_jobs(self, jobs: Iterable[JobRecord]) -> None:
        """Take the whole list anew."""
        self.beginResetModel()
        self._jobs = {job.id: job for job in jobs}
        self._rebuild()
        self.endResetModel()
        self.counts_changed.emit()

    def update_jobs(self, jobs: Iterable[JobRecord]) -> None:
        """Take over what changed: rows are changed, moved, added or hidden one by one."""
        for job in jobs:
            self._update(job)
        self.counts_changed.emit()

    def forget(self, job_id: str) -> None:
        job = self._jobs.get(job_id)
        if job is not None:
            # First its row: a view that hears of it may still ask what it was.
            self._take_out(_key(job))
            del self._jobs[job_id]
            self.counts_changed.emit()

    def set_filter(self, wanted: JobFilter, search: str = "") -> None:
        """Show the jobs of a kind whose title or operation holds every word of `search`."""
        if (wanted, search) == (self._filter, self._search):
            return
        self.beginResetModel()
        self._filter, self._search = wanted, search
        self._rebuild()
        self.endResetModel()

    def job(self, row: int) -> JobRecord | None:
        return self._jobs[self._keys[row][2]] if 0 <= row < len(self._keys) else None

    def find(self, job_id: str) -> JobRecord | None:
        return self._jobs.get(job_id)

    def row_of(self, job_id: str) -> int:
        """The row of a job; -1 where it is unknown or filtered out."""
        job = self._jobs.get(job_id)
        if job is None:
            return -1
        return self._row(_key(job))

    def counts(self) -> dict[str, int]:
        """How many jobs are in each state, hidden ones too."""
        found: dict[str, int] = {}
        for job in self._jobs.values():
            found[job.state] = found.get(job.state, 0) + 1
        return found

    def neighbours(self, job_id: str) -> tuple[str | None, str | None, str | None]:
        """Of a waiting job: the one before it, the one after it, and the one after that."""
        waiting = sorted(_key(job) for job in self._jobs.values() if job.state == "queued")
        ids = [key[2] for key in waiting]
        if job_id not in ids:
            return None, None, None
        place = ids.index(job_id)
        after: list[str | None] = [*ids[place + 1 : place + 3], None, None]
        return (ids[place - 1] if place else None), after[0], after[1]

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        return 0 if parent.isValid() else len(self._keys)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        job = self.job(index.row())
        if job is None:
            return None
        if role == self.JOB_ROLE:
            return job
        if role == Qt.ItemDataRole.DisplayRole:
            return job.title
        if role == Qt.ItemDataRole.ToolTipRole:
            return f"{job.title}\n{state_word(job.state)}: {state_line(job)}"
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{job.title}, {state_word(job.state)}, {state_line(job)}"
        return None

    def flags(self, index: _Index) -> Qt.ItemFlag:
        if not index.isValid():
            # Between rows: a waiting job may be dropped there.
            return Qt.ItemFlag.ItemIsDropEnabled
        flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        job = self.job(index.row())
        return flags | Qt.ItemFlag.ItemIsDragEnabled if job is not None and job.state == "queued" else flags

    def supportedDropActions(self) -> Qt.DropAction:
        return Qt.DropAction.MoveAction

    def mimeTypes(self) -> list[str]:
        return [_MIME]

    def mimeData(self, indexes: Iterable[QModelIndex]) -> QMimeData:
        carried = QMimeData()
        job = next((self.job(index.row()) for index in indexes), None)
        carried.setData(_MIME, QByteArray((job.id if job else "").encode()))
        return carried

    def canDropMimeData(
        self, data: QMimeData, action: Qt.DropAction, row: int, column: int, parent: _Index
    ) -> bool:
        return data.hasFormat(_MIME) and self._drop_place(row) is not None

    def dropMimeData(
        self, data: QMimeData, action: Qt.DropAction, row: int, column: int, parent: _Index
    ) -> bool:
        moved = data.data(_MIME).data().decode()
        place = self._drop_place(row)
        if place is None or moved not in self._jobs or place[0] == moved:
            return False
        self.move_wanted.emit(moved, place[0])
        # The row moves when the board answers; true here would make the view remove it.
        return False

    def _drop_place(self, row: int) -> tuple[str | None] | None:
        """The waiting job that a drop at `row` goes before, None in it for the end; None where one can't."""
        at = self.job(row if row >= 0 else len(self._keys))
        above = self.job((row if row >= 0 else len(self._keys)) - 1)
        if at is not None and at.state == "queued":
            return (at.id,)
        return (None,) if above is not None and above.state == "queued" else None

    def _update(self, job: JobRecord) -> None:
        old = self._jobs.get(job.id)
        self._jobs[job.id] = job
        new_key = _key(job)
        shown = self._shows(job)
        if old is None:
            if shown:
                self._put_in(new_key)
            return
        old_key = _key(old)
        row = self._row(old_key)
        if row >= 0 and shown and old_key == new_key:
            index = self.index(row)
            self.dataChanged.emit(index, index)
            return
        if row >= 0 and shown:
            self._move(row, old_key, new_key)
            return
        if row >= 0:
            self._take_out(old_key)
        if shown:
            self._put_in(new_key)

    def _move(self, row: int, old_key: _Key, new_key: _Key) -> None:
        target = bisect_left(self._keys, new_key)
        if target in (row, row + 1):
            self._keys[row] = new_key
            index = self.index(row)
            self.dataChanged.emit(index, index)
            return
        self.beginMoveRows(QModelIndex(), row, row, QModelIndex(), target)
        self._keys.remove(old_key)
        insort(self._keys, new_key)
        self.endMoveRows()
        index = self.index(self._row(new_key))
        self.dataChanged.emit(index, index)

    def _put_in(self, key: _Key) -> None:
        row = bisect_left(self._keys, key)
        self.beginInsertRows(QModelIndex(), row, row)
        self._keys.insert(row, key)
        self.endInsertRows()

    def _take_out(self, key: _Key) -> None:
        row = self._row(key)
        if row < 0:
            return
        self.beginRemoveRows(QModelIndex(), row, row)
        del self._keys[row]
        self.endRemoveRows()

    def _row(self, key: _Key) -> int:
        row = bisect_left(self._keys, key)
        return row if row < len(self._keys) and self._keys[row] == key else -1

    def _rebuild(self) -> None:
        self._keys = sorted(_key(job) for job in self._jobs.values() if self._shows(job))

    def _shows(self, job: JobRecord) -> bool:
        if not self._filter.keeps(job):
            return False
        text = f"{job.title} {job.operation}".casefold()
        return all(word in text for word in self._search.casefold().split())


def _key(job: JobRecord) -> _Key:
    if job.state == "running":
        return (0, job.started_at or job.created_at, job.id)
    if job.state == "queued":
        return (1, job.position, job.id)
    return (2, -(job.ended_at or job.created_at), job.id)
