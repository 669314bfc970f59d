"""What a person may do with a run and with its result."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtWidgets import QFileDialog, QWidget

from ui.context import AppContext
from ui.file_manager import open_folder
from workbench.errors import WorkbenchError
from workbench.jobs.records import JobRecord


class RunActions:
    """Carries wishes to the board of jobs and to other pages; what goes wrong is told as a message.

    Args:
        parent: Whose dialogs they are.
    """

    def __init__(self, context: AppContext, parent: QWidget) -> None:
        self._context = context
        self._parent = parent
        board = context.session.board
        self._calls: dict[str, Callable[[JobRecord], object]] = {
            "pause": lambda job: board.pause(job.id),
            "resume": lambda job: board.resume(job.id),
            "cancel": lambda job: board.cancel(job.id),
            "export": self._export,
            "folder": lambda job: open_folder(job.folder),
            "job": lambda job: self._open("jobs", job.id),
            "models": lambda job: self._open("models", job.result_model_id),
            "chat": lambda job: self._open("chat", ("side-by-side", job.model_id, job.result_model_id)),
            "merge": lambda job: self._open("optimize", (job.result_model_id, "merge-adapter")),
            "gguf": lambda job: self._open("optimize", (job.result_model_id, "adapter-to-gguf")),
        }

    def do(self, name: str, job: JobRecord) -> None:
        """Do one thing; the names are those of the buttons."""
        try:
            self._calls[name](job)
        except WorkbenchError as error:
            self._context.message.emit("bad", str(error))

    def _open(self, page: str, argument: object) -> None:
        self._context.open_page.emit(page, argument)

    def _export(self, job: JobRecord) -> None:
        chosen, _ = QFileDialog.getSaveFileName(
            self._parent, "Export as script", f"{job.operation}.py", "Python scripts (*.py)"
        )
        if chosen:
            self._context.session.board.export(job.id, Path(chosen))
            self._context.message.emit(
                "good", f"Saved {chosen}. Run it with: python {Path(chosen).name} --help"
            )
