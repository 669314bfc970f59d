"""The left side of the Jobs page: a search, a filter, and the list."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QButtonGroup,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListView,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from ui.models.job_list import JobFilter, JobListModel
from ui.theme import Theme
from ui.widgets.job_delegate import JobDelegate


class JobListView(QListView):
    """The list: Alt+Up and Alt+Down move a waiting job, Delete removes one that rests."""

    move_wanted = Signal(int)
    remove_wanted = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Jobs")
        self.setAccessibleDescription("Alt+Up and Alt+Down change the order of waiting jobs")
        self.setItemDelegate(JobDelegate(theme, self))
        self.setUniformItemSizes(True)
        self.setFrameShape(QListView.Shape.NoFrame)
        self.setMouseTracking(True)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setDragDropMode(QAbstractItemView.DragDropMode.InternalMove)
        self.setDefaultDropAction(Qt.DropAction.MoveAction)
        self.setDragDropOverwriteMode(False)
        self.setDropIndicatorShown(True)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}.get(Qt.Key(event.key()))
        if step is not None and event.modifiers() & Qt.KeyboardModifier.AltModifier:
            self.move_wanted.emit(step)
            return
        if event.key() == Qt.Key.Key_Delete:
            self.remove_wanted.emit()
            return
        super().keyPressEvent(event)


class JobListing(QFrame):
    """The list with what narrows it.

    Signals:
        chosen: Another job is current; carries its id, or None.
    """

    chosen = Signal(object)

    def __init__(self, theme: Theme, model: JobListModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("card", "true")
        self._model = model
        self._kept: str | None = None
        self.search = QLineEdit()
        self.search.setPlaceholderText("Search jobs")
        self.search.setClearButtonEnabled(True)
        self.search.setAccessibleName("Search jobs")
        self.view = JobListView(theme)
        self.view.setModel(model)
        self._nothing = QLabel("No job matches.")
        self._nothing.setProperty("role", "second")
        self._nothing.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._nothing.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.setSpacing(8)
        layout.addWidget(self.search)
        layout.addLayout(self._build_filter())
        layout.addWidget(self._nothing)
        layout.addWidget(self.view, 1)
        self.search.textChanged.connect(self._filter)
        self.view.selectionModel().currentChanged.connect(self._changed)
        model.modelAboutToBeReset.connect(self._keep)
        model.modelReset.connect(self._restore)
        model.counts_changed.connect(self._count)

    def current_id(self) -> str | None:
        job = self._model.job(self.view.currentIndex().row())
        return job.id if job is not None else None

    def choose(self, job_id: str) -> bool:
        """Make a job current; where the filter hides it, the filter is lifted."""
        if self._model.row_of(job_id) < 0 and self._model.find(job_id) is not None:
            self.search.clear()
            self.buttons[JobFilter.ALL].click()
        row = self._model.row_of(job_id)
        if row < 0:
            return False
        self.view.setCurrentIndex(self._model.index(row))
        self.view.scrollTo(self._model.index(row))
        return True

    def choose_first(self) -> None:
        if self._model.rowCount():
            self.view.setCurrentIndex(self._model.index(0))

    def _build_filter(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(2)
        self._group = QButtonGroup(self)
        self.buttons: dict[JobFilter, QPushButton] = {}
        for wanted in JobFilter:
            button = QPushButton(wanted.value)
            button.setCheckable(True)
            button.setProperty("variant", "quiet")
            button.setProperty("segment", "true")
            button.setAccessibleName(f"Show jobs: {wanted.value}")
            button.clicked.connect(self._filter)
            self._group.addButton(button)
            self.buttons[wanted] = button
            row.addWidget(button)
        row.addStretch(1)
        self.buttons[JobFilter.ALL].setChecked(True)
        return row

    def _filter(self) -> None:
        wanted = next(kind for kind, button in self.buttons.items() if button.isChecked())
        self._model.set_filter(wanted, self.search.text())
        self._count()

    def _count(self) -> None:
        empty = self._model.rowCount() == 0
        self._nothing.setVisible(empty)

    def _keep(self) -> None:
        self._kept = self.current_id() or self._kept

    def _restore(self) -> None:
        if self._kept is not None and self._model.row_of(self._kept) >= 0:
            self.choose(self._kept)

    def _changed(self, current: QModelIndex, _previous: QModelIndex) -> None:
        job = self._model.job(current.row())
        if job is not None:
            self._kept = job.id
        self.chosen.emit(job.id if job is not None else None)
