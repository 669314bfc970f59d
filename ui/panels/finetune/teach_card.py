"""The left side of the Fine-tune page: which model is taught, on what, and what was taught before."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QModelIndex, Qt, Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QButtonGroup,
    QFrame,
    QHBoxLayout,
    QListView,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from ui import format
from ui.models.job_list import JobListModel
from ui.theme import Theme
from ui.widgets.card import label
from ui.widgets.job_delegate import JobDelegate
from ui.widgets.optimize_model import ModelChooser
from workbench.catalogue_entry import OperationEntry
from workbench.jobs.records import JobRecord
from workbench.library.records import ModelRecord
from workbench.model import FORMAT_TITLES

#: What the backends are called on their buttons.
_BACKENDS = {"torch": "PyTorch", "mlx": "MLX"}


class TeachCard(QFrame):
    """Chooses the base model, the backend, and an earlier run to look at.

    Args:
        line: What stands under a run's name.

    Signals:
        operation_chosen: Another backend; carries the operation's name.
        run_chosen: An earlier run is to be shown; carries the job's id.
    """

    operation_chosen = Signal(str)
    run_chosen = Signal(str)

    def __init__(self, theme: Theme, line: Callable[[JobRecord], str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("card", "true")
        self.chooser = ModelChooser()
        self.chooser.setAccessibleName("Base model")
        caption = label("Base model", "caption")
        caption.setBuddy(self.chooser)
        self._model_line = label("", "caption", wrap=True)
        self._backend_title = label("Trained with", "caption")
        self._backends = QHBoxLayout()
        self._backends.setSpacing(6)
        self._group = QButtonGroup(self)
        self.buttons: dict[str, QPushButton] = {}
        self.runs = JobListModel(self)
        self.view = QListView()
        self._nothing = label("Runs on this model appear here, with their curves.", "second", wrap=True)
        self._nothing.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._set_up_view(theme, line)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(10, 12, 10, 10)
        layout.setSpacing(6)
        layout.addWidget(caption)
        layout.addWidget(self.chooser)
        layout.addWidget(self._model_line)
        layout.addSpacing(4)
        layout.addWidget(self._backend_title)
        layout.addLayout(self._backends)
        layout.addSpacing(8)
        layout.addWidget(label("Runs", "caption"))
        layout.addWidget(self._nothing, 1)
        layout.addWidget(self.view, 1)

    def show_model(self, record: ModelRecord | None) -> None:
        """Say what the chosen model is."""
        if record is None:
            self._model_line.setText("")
            return
        size = format.count(record.parameters) + " weights" if record.parameters else ""
        title = FORMAT_TITLES[record.format]  # type: ignore[index]
        parts = (title, record.quantization, size, format.bytes(record.size_bytes))
        self._model_line.setText(" · ".join(part for part in parts if part))

    def show_operations(self, entries: Sequence[OperationEntry], chosen: str) -> None:
        """Offer the operations that can train the model, by the name of their backend."""
        if list(self.buttons) != [entry.name for entry in entries]:
            for button in self.buttons.values():
                self._group.removeButton(button)
                self._backends.removeWidget(button)
                button.hide()
                button.deleteLater()
            self.buttons = {}
            for entry in entries:
                button = QPushButton(_BACKENDS.get(entry.backend, entry.title), self)
                button.setCheckable(True)
                button.setProperty("variant", "quiet")
                button.setProperty("segment", "true")
                button.setToolTip(entry.summary)
                button.setAccessibleName(f"Train with {button.text()}")
                button.clicked.connect(lambda _on=False, name=entry.name: self.operation_chosen.emit(name))
                self._group.addButton(button)
                self._backends.addWidget(button, 1)
                self.buttons[entry.name] = button
        if chosen in self.buttons:
            self.buttons[chosen].setChecked(True)
        self._backend_title.setVisible(bool(entries))

    def show_runs(self, jobs: Sequence[JobRecord]) -> None:
        """List the runs on the chosen model."""
        before = self.current_run()
        self.runs.set_jobs(jobs)
        self._show_nothing()
        if before is not None:
            self.mark_run(before)

    def take_runs(self, jobs: Sequence[JobRecord]) -> None:
        """Take over what changed of runs."""
        self.runs.update_jobs(jobs)
        self._show_nothing()

    def current_run(self) -> str | None:
        job = self.runs.job(self.view.currentIndex().row())
        return job.id if job is not None else None

    def mark_run(self, job_id: str | None) -> None:
        """Mark a run in the list without asking to show it; None for none."""
        row = self.runs.row_of(job_id) if job_id is not None else -1
        self.view.selectionModel().blockSignals(True)
        self.view.setCurrentIndex(self.runs.index(row) if row >= 0 else QModelIndex())
        if row < 0:
            self.view.clearSelection()
        self.view.selectionModel().blockSignals(False)
        self.view.viewport().update()

    def _show_nothing(self) -> None:
        empty = self.runs.rowCount() == 0
        self._nothing.setVisible(empty)
        self.view.setVisible(not empty)

    def _set_up_view(self, theme: Theme, line: Callable[[JobRecord], str]) -> None:
        view = self.view
        view.setModel(self.runs)
        view.setItemDelegate(JobDelegate(theme, view, line=line))
        view.setAccessibleName("Runs on this model")
        view.setUniformItemSizes(True)
        view.setFrameShape(QListView.Shape.NoFrame)
        view.setMouseTracking(True)
        view.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        view.selectionModel().currentChanged.connect(self._changed)
        view.clicked.connect(self._changed)
        view.hide()

    def _changed(self, current: QModelIndex, _previous: QModelIndex | None = None) -> None:
        job = self.runs.job(current.row())
        if job is not None:
            self.run_chosen.emit(job.id)
