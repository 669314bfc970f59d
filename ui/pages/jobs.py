"""The Jobs page: every job in order, and one of them in full while it works."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import (
    QDragEnterEvent,
    QDropEvent,
    QGuiApplication,
)
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QMenu,
    QMessageBox,
    QPushButton,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from ui.actions import add_action
from ui.context import AppContext
from ui.file_manager import open_folder
from ui.models.job_list import JobListModel
from ui.panels.sweeps.dialog import SweepsDialog
from ui.panels.sweeps.starting import SWEEP
from ui.widgets.empty_state import EmptyState
from ui.widgets.job_detail import JobDetail
from ui.widgets.job_import import JobImport, dropped_result
from ui.widgets.job_listing import JobListing
from workbench.errors import WorkbenchError
from workbench.export.forms import ENDINGS, Form, export_job
from workbench.jobs.proof_jobs import OPERATION as PROVES
from workbench.jobs.records import JobRecord
from workbench.jobs.runner import JobUpdate

#: The forms that a job is exported in beside its script, and what their dialogs are called.
EXPORT_FORMS: dict[Form, str] = {
    "bundle": "Export as bundle",
    "slurm": "Export for Slurm",
    "notebook": "Export as notebook",
}


class JobsPage(QWidget):
    """See the module."""

    name = "jobs"
    title = "Jobs"
    icon = "jobs"

    def __init__(self, context: AppContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._board = context.session.board
        self._stale = True
        self._sweeps: SweepsDialog | None = None
        self.model = JobListModel(self)
        self.listing = JobListing(context.theme, self.model)
        self.detail = JobDetail(context)
        self.importing = JobImport(context.session.home)
        self.setAcceptDrops(True)
        self._build()
        self._make_actions()
        self._connect()

    def refresh(self) -> None:
        """Read the list of jobs anew."""
        self._stale = False
        self.model.set_jobs(self._board.list())
        if self.listing.current_id() is None:
            self.listing.choose_first()
        self._show_chosen(self.listing.current_id())

    def open(self, argument: object) -> None:
        """Show one job: its id, or its id and a tab; `("sweep", ID)` shows a sweep."""
        if self._stale:
            self.refresh()
        if isinstance(argument, tuple) and argument[0] == SWEEP:
            self.open_sweeps(argument[1])
            return
        job_id, tab = argument if isinstance(argument, tuple) else (argument, None)
        if isinstance(job_id, str):
            if self.model.find(job_id) is None:
                self._take_record(job_id)
            self.listing.choose(job_id)
        if isinstance(tab, str):
            self.detail.open_tab(tab)

    def open_sweeps(self, sweep_id: str = "") -> None:
        """Show the sweeps of this home, beside the window: the one with an id, where one is named."""
        if self._sweeps is None:
            context = self._context
            self._sweeps = SweepsDialog(context.theme, context.session.home, context.sweeps, self)
            self._sweeps.job_wanted.connect(self.open)
            self._sweeps.failed.connect(self._report)
        self._sweeps.show()
        self._sweeps.raise_()
        if sweep_id:
            self._sweeps.choose(sweep_id)

    def showEvent(self, event: object) -> None:
        if self._stale:
            self.refresh()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if dropped_result(event.mimeData()) is not None:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        source = dropped_result(event.mimeData())
        if source is not None:
            event.acceptProposedAction()
            self.importing.begin(source)

    def _take_updates(self, updates: list[JobUpdate]) -> None:
        if self._stale:
            return
        self.model.update_jobs([update.job for update in updates])
        shown = self.detail.job
        for update in updates:
            if shown is not None and update.job.id == shown.id and self.isVisible():
                self.detail.take(update.job, update.events)
        if self.listing.current_id() is None:
            self.listing.choose_first()

    def _take_record(self, job_id: str) -> None:
        try:
            job = self._board.get(job_id)
        except WorkbenchError as error:
            self._report(error)
            return
        self.model.update_jobs([job])
        shown = self.detail.job
        if shown is not None and shown.id == job.id:
            self.detail.show_job(job)

    def _take_import(self, job_id: str, known: bool) -> None:
        """Show the job that an import became."""
        self._take_record(job_id)
        self.listing.choose(job_id)
        self._context.models_changed.emit()
        if known:
            self._context.message.emit("info", "It was imported before: this is the job.")
        else:
            self._context.message.emit("good", "It is here. Its result is what it made there.")

    def _show_chosen(self, job_id: object) -> None:
        job = self.model.find(job_id) if isinstance(job_id, str) else None
        self._stack.setCurrentIndex(0 if self.model.counts() else 1)
        self.detail.setVisible(job is not None)
        if job is not None:
            self.detail.show_job(job)
        self._export.setEnabled(job is not None)

    def _show_counts(self) -> None:
        counts = self.model.counts()
        self._stack.setCurrentIndex(0 if counts else 1)
        self._export.setVisible(bool(counts))
        words = (("running", "running"), ("queued", "waiting"), ("paused", "paused"), ("done", "done"))
        parts = [f"{_grouped(counts[state])} {word}" for state, word in words if counts.get(state)]
        trouble = counts.get("failed", 0) + counts.get("interrupted", 0)
        if trouble:
            parts.append(f"{_grouped(trouble)} need{'s' if trouble == 1 else ''} attention")
        self._summary.setText(" · ".join(parts))

    def _do(self, name: str, job_id: str) -> None:
        """Do what a person asked of one job."""
        calls: dict[str, Callable[[str], object]] = {
            "pause": self._board.pause,
            "resume": self._board.resume,
            "cancel": self._board.cancel,
            "retry": self._board.retry,
            "export": self._export_script,
            **{f"export-{form}": partial(self._export_as, form) for form in EXPORT_FORMS},
            "import": self.importing.ask_for_folder,
            "folder": self._show_folder,
            "open-model": self._open_model,
            "copy-id": QGuiApplication.clipboard().setText,
            "remove": self._remove,
        }
        try:
            calls[name](job_id)
        except WorkbenchError as error:
            self._report(error)
        except OSError as error:
            self._context.message.emit("bad", f"That did not work: {error}.")
        if self.model.find(job_id) is not None and name in ("pause", "resume", "cancel", "retry"):
            self._take_record(job_id)

    def _do_chosen(self, name: str) -> None:
        job_id = self.listing.current_id()
        if job_id is not None:
            self._do(name, job_id)

    def _export_script(self, job_id: str) -> None:
        job = self._board.get(job_id)
        start = f"{job.operation}.py"
        chosen, _ = QFileDialog.getSaveFileName(self, "Export as script", start, "Python scripts (*.py)")
        if chosen:
            self._board.export(job_id, Path(chosen))
            self._context.message.emit(
                "good", f"Saved {chosen}. Run it with: python {Path(chosen).name} --help"
            )

    def _export_as(self, form: Form, job_id: str) -> None:
        """Ask for a place, and write the job there in a form other than its script."""
        job = self._board.get(job_id)
        start = f"{job.operation}{ENDINGS[form]}"
        chosen, _ = QFileDialog.getSaveFileName(self, EXPORT_FORMS[form], start, f"*{ENDINGS[form]}")
        if not chosen:
            return
        QGuiApplication.setOverrideCursor(Qt.CursorShape.WaitCursor)
        try:
            export_job(self._context.session.home, self._board, job_id, form, Path(chosen))
        finally:
            QGuiApplication.restoreOverrideCursor()
        self._context.message.emit("good", f"Saved {chosen}.")

    def _show_folder(self, job_id: str) -> None:
        open_folder(self._board.get(job_id).folder)

    def _open_model(self, job_id: str) -> None:
        job = self._board.get(job_id)
        shown = job.result_model_id or (job.model_id if job.operation == PROVES else None)
        if shown is not None:
            self._context.open_page.emit("models", shown)

    def _remove(self, job_id: str) -> None:
        job = self._board.get(job_id)
        if not self._agreed(job):
            return
        self._board.remove(job_id)
        row = self.model.row_of(job_id)
        self.model.forget(job_id)
        if self.model.rowCount():
            self.listing.view.setCurrentIndex(self.model.index(min(row, self.model.rowCount() - 1)))
        self._show_chosen(self.listing.current_id())

    def _agreed(self, job: JobRecord) -> bool:
        box = QMessageBox(self)
        box.setWindowTitle("Remove job")
        box.setText(f"Remove “{job.title}” from the list?")
        box.setInformativeText(
            "Its log, its plots and its checkpoints are deleted. A model that it made stays in the library."
        )
        remove = box.addButton("Remove", QMessageBox.ButtonRole.DestructiveRole)
        box.setDefaultButton(box.addButton("Keep", QMessageBox.ButtonRole.RejectRole))
        box.exec()
        return box.clickedButton() is remove

    def _move_to(self, job_id: str, before: object) -> None:
        """Put a waiting job before another, or last, and read the new order of those that wait."""
        try:
            self._board.move(job_id, before if isinstance(before, str) else None)
        except WorkbenchError as error:
            self._report(error)
        self.model.update_jobs(self._board.list(states=("queued",)))
        self.listing.choose(job_id)

    def _move_by(self, step: int) -> None:
        job_id = self.listing.current_id()
        job = self.model.find(job_id) if job_id is not None else None
        if job is None or job.state != "queued":
            return
        above, below, second_below = self.model.neighbours(job.id)
        if step < 0 and above is not None:
            self._move_to(job.id, above)
        elif step > 0 and below is not None:
            self._move_to(job.id, second_below)

    def _report(self, error: WorkbenchError) -> None:
        self._context.message.emit("bad", str(error))

    def _build(self) -> None:
        head = QHBoxLayout()
        head.setSpacing(14)
        title = QLabel(self.title)
        title.setProperty("role", "title")
        self._summary = QLabel()
        self._summary.setProperty("role", "second")
        self._export = QPushButton("Export as script")
        self._export.setToolTip("Save the chosen job as a Python script that runs anywhere (Ctrl+E)")
        head.addWidget(title)
        head.addWidget(self._summary)
        head.addStretch(1)
        self._show_sweeps = QPushButton("Sweeps")
        self._show_sweeps.setToolTip("Compare the trials of a sweep: what was tried, and what came of it")
        head.addWidget(self._show_sweeps)
        head.addWidget(self._build_import())
        head.addWidget(self._export)
        splitter = QSplitter(Qt.Orientation.Horizontal)
        splitter.setHandleWidth(12)
        splitter.setChildrenCollapsible(False)
        self.listing.setMinimumWidth(250)
        splitter.addWidget(self.listing)
        splitter.addWidget(self.detail)
        splitter.setStretchFactor(0, 0)
        splitter.setStretchFactor(1, 1)
        splitter.setSizes([284, 900])
        start = QPushButton("Choose an operation")
        start.setProperty("variant", "primary")
        start.clicked.connect(lambda: self._context.open_page.emit("optimize", None))
        empty = EmptyState(
            "jobs",
            "No jobs yet",
            "A job is one operation on one model: a quantization, a conversion, a download. "
            "Start one, and its progress, speed and memory appear here while it works.",
            [start],
        )
        self._stack = QStackedWidget()
        self._stack.addWidget(splitter)
        self._stack.addWidget(empty)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 20, 24, 20)
        layout.setSpacing(16)
        layout.addLayout(head)
        layout.addWidget(self.importing)
        layout.addWidget(self._stack, 1)

    def _build_import(self) -> QPushButton:
        button = QPushButton("Import")
        button.setAccessibleName("Import a result that a script made elsewhere")
        button.setToolTip(
            "Take in what an exported script made on another computer: its folder, or a zip of it"
        )
        self.import_menu = QMenu(self)
        self.import_menu.addAction("From a folder…").triggered.connect(
            lambda _on=False: self.importing.ask_for_folder()
        )
        self.import_menu.addAction("From a zip…").triggered.connect(
            lambda _on=False: self.importing.ask_for_zip()
        )
        button.setMenu(self.import_menu)
        return button

    def _make_actions(self) -> None:
        for text, keys, call in (
            ("Pause the chosen job", "", lambda: self._do_chosen("pause")),
            ("Resume the chosen job", "", lambda: self._do_chosen("resume")),
            ("Cancel the chosen job", "", lambda: self._do_chosen("cancel")),
            ("Run the chosen job again", "", lambda: self._do_chosen("retry")),
            ("Export the chosen job as a script", "Ctrl+E", lambda: self._do_chosen("export")),
            *(
                (
                    title.replace("Export", "Export the chosen job"),
                    "",
                    partial(self._do_chosen, f"export-{form}"),
                )
                for form, title in EXPORT_FORMS.items()
            ),
            ("Import the folder of a job that ran elsewhere", "", lambda: self.importing.ask_for_folder()),
            ("Import a zip of a job that ran elsewhere", "", self.importing.ask_for_zip),
            ("Move the chosen job up", "", lambda: self._move_by(-1)),
            ("Move the chosen job down", "", lambda: self._move_by(1)),
            ("Search jobs", "Ctrl+F", self.listing.search.setFocus),
            ("Show the job's log", "Ctrl+L", lambda: self.detail.open_tab("Log")),
            ("Show the job's plots", "", lambda: self.detail.open_tab("Plots")),
            ("Compare the trials of a sweep", "", self.open_sweeps),
        ):
            add_action(self, text, keys, call)

    def _connect(self) -> None:
        self.listing.chosen.connect(self._show_chosen)
        self.listing.view.move_wanted.connect(self._move_by)
        self.listing.view.remove_wanted.connect(lambda: self._do_chosen("remove"))
        self.model.move_wanted.connect(self._move_to)
        self.model.counts_changed.connect(self._show_counts)
        self.detail.wanted.connect(self._do)
        self._export.clicked.connect(lambda: self._do_chosen("export"))
        self._show_sweeps.clicked.connect(lambda _on=False: self.open_sweeps())
        self.importing.imported.connect(self._take_import)
        self._context.closing.connect(self.importing.stop)
        self._context.jobs_changed.connect(self._take_updates)


def _grouped(count: int) -> str:
    return f"{count:,}".replace(",", "\u2009")
