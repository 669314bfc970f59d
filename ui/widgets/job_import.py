"""Takes in what a script made elsewhere: asks for it, says how far that is, and what stands in its way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import QMimeData, Signal
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from ui import format
from ui.json_process import JsonProcess
from ui.widgets.card import Card, label
from ui.widgets.elided_label import ElidedLabel
from ui.widgets.message import MessageBar
from ui.widgets.progress_line import ProgressLine
from workbench.errors import WorkbenchError
from workbench.export.importing import clear_leftovers
from workbench.home import Home

_MODULE = "workbench.export.import_process"


class JobImport(QWidget):
    """Shown while an import is under way, and after one that failed.

    The work is done in a process of its own, which ends with the window.

    Signals:
        imported: The id of the job that it became, and whether it was here before.
    """

    imported = Signal(str, bool)

    def __init__(self, home: Home, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._home = home
        self._process = JsonProcess(_MODULE, self)
        self._process.answered.connect(self._take)
        self._process.failed.connect(self._fail)
        self._build()
        self.hide()

    @property
    def is_busy(self) -> bool:
        return self._process.is_running

    def ask_for_folder(self, job_id: str = "") -> None:
        """Have a person choose the folder of a job; `job_id` names the one that it was exported from."""
        chosen = QFileDialog.getExistingDirectory(self, "Import the folder of a job that ran elsewhere")
        if chosen:
            self.begin(Path(chosen), job_id)

    def ask_for_zip(self) -> None:
        """Have a person choose a zip of such a folder."""
        chosen, _ = QFileDialog.getOpenFileName(
            self, "Import a zip of a job that ran elsewhere", "", "Zip files (*.zip)"
        )
        if chosen:
            self.begin(Path(chosen))

    def begin(self, source: Path, job_id: str = "") -> None:
        """Import a folder or a zip; one that is under way goes on instead."""
        if self.is_busy:
            return
        self._problem.hide()
        self._dismiss.hide()
        self._doing.setText(f"Importing {source.name}")
        self._far.setText("Looking at it")
        self._line.set_share(None)
        self._work.show()
        self.show()
        words = [str(source), job_id] if job_id else [str(source)]
        self._process.ask(words, {"TENFOLD_HOME": str(self._home.root)})

    def stop(self) -> None:
        """End what is under way; nothing of it is left."""
        if self.is_busy:
            self._process.stop()
            clear_leftovers(self._home)
        self.hide()

    def _take(self, answer: dict[str, Any]) -> None:
        if "job" in answer:
            self.hide()
            self.imported.emit(str(answer["job"]), bool(answer.get("known")))
            return
        done, total = float(answer.get("done", 0)), float(answer.get("total", 0))
        self._line.set_share(done / total if total else None)
        self._far.setText(f"{answer.get('what', '')} {format.bytes(done)} of {format.bytes(total)}")

    def _fail(self, error: WorkbenchError) -> None:
        self._work.hide()
        self._problem.show_message("bad", error.message, error.remedy, error.details)
        self._problem.show()
        self._dismiss.show()
        self.show()

    def _build(self) -> None:
        self._work = Card()
        self._work.column.setContentsMargins(16, 10, 10, 12)
        self._work.column.setSpacing(8)
        self._doing = ElidedLabel("")
        self._doing.setProperty("role", "body")
        self._far = label("", "second")
        self._cancel = QPushButton("Cancel")
        self._cancel.setAccessibleName("Cancel the import")
        self._cancel.clicked.connect(self.stop)
        row = QHBoxLayout()
        row.setSpacing(12)
        row.addWidget(self._doing, 1)
        row.addWidget(self._far)
        row.addWidget(self._cancel)
        self._line = ProgressLine()
        self._work.column.addLayout(row)
        self._work.column.addWidget(self._line)
        self._problem = MessageBar("bad", "", "", "")
        self._problem.hide()
        self._dismiss = QPushButton("Dismiss")
        self._dismiss.hide()
        self._dismiss.setProperty("variant", "quiet")
        self._dismiss.setAccessibleName("Dismiss this message")
        self._dismiss.clicked.connect(self.hide)
        said = QHBoxLayout()
        said.setSpacing(8)
        said.addWidget(self._problem, 1)
        said.addWidget(self._dismiss)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._work)
        column.addLayout(said)


def dropped_result(data: QMimeData) -> Path | None:
    """The folder or zip that is dropped; None for anything else, or several."""
    paths = [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()]
    if len(paths) != 1 or not (paths[0].is_dir() or paths[0].suffix.lower() == ".zip"):
        return None
    return paths[0]
