"""Brings models into the library, from wherever the person says they are, and tells what became of that."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFileDialog, QWidget

from ui.context import AppContext
from ui.models.add_queue import AddQueue, Wanted
from ui.panels.models.fits import Estimator
from workbench.errors import WorkbenchError
from workbench.library.records import Added


class Adding(QObject):
    """See the module.

    Args:
        page: What its dialogs stand before.

    Signals:
        done: All that was wanted has been tried; the id of the last model of it that is in the library.
    """

    done = Signal(str)

    def __init__(self, context: AppContext, queue: AddQueue, estimate: Estimator, page: QWidget) -> None:
        super().__init__(page)
        self._context = context
        self._library = context.session.library
        self._queue = queue
        self._estimate = estimate
        self._page = page
        self._failures: list[str] = []
        self._last = ""
        queue.added.connect(self._added)
        queue.failed.connect(self._failed)
        queue.finished.connect(self._finished)

    def by(self, way: str) -> None:
        """Add models: from a `file`, a `folder`, the `sample`, by a `scan`, from the `hub`."""
        ways: dict[str, Callable[[], None]] = {
            "file": self._add_file,
            "folder": self._add_folder,
            "sample": self._add_sample,
            "scan": self._scan,
            "hub": self._open_hub,
        }
        ways[way]()

    def add(self, wanted: list[Wanted]) -> None:
        """Add these, one after another."""
        self._failures = []
        self._queue.put(wanted)

    def _add_file(self) -> None:
        chosen, _ = QFileDialog.getOpenFileNames(
            self._page, "Add GGUF files", "", "Models (*.gguf *.safetensors);;All files (*)"
        )
        self.add([Wanted(Path(path)) for path in chosen])

    def _add_folder(self) -> None:
        chosen = QFileDialog.getExistingDirectory(
            self._page, "Add a folder with the weights of a model or an adapter"
        )
        if chosen:
            self.add([Wanted(Path(chosen), source="folder")])

    def _add_sample(self) -> None:
        try:
            added = self._library.add_sample()
        except WorkbenchError as error:
            self._context.message.emit("bad", str(error))
            return
        self._added(added)
        self._finished(0 if added.already_known else 1, 1 if added.already_known else 0, 0)

    def _scan(self) -> None:
        from ui.panels.models.scan_dialog import ScanDialog

        extra = self._context.session.settings.load().extra_model_folders
        dialog = ScanDialog(self._library.known_paths(), extra, self._page)
        if dialog.exec() == ScanDialog.DialogCode.Accepted:
            self.add(dialog.wanted())

    def _open_hub(self) -> None:
        from ui.panels.models.hub_dialog import HubDialog

        dialog = HubDialog(self._context, self._estimate, self._page)
        dialog.exec()

    def _added(self, added: Added) -> None:
        self._last = added.record.id
        if added.looks_like is not None and not added.already_known:
            self._context.message.emit(
                "info", f"“{added.record.name}” looks like a copy of “{added.looks_like.name}”."
            )

    def _failed(self, wanted: Wanted, error: WorkbenchError) -> None:
        self._failures.append(
            str(error) if wanted.path.name in str(error) else f"{wanted.path.name}: {error}"
        )

    def _finished(self, added: int, known: int, failed: int) -> None:
        self.done.emit(self._last)
        if added:
            self._context.message.emit(
                "good", "1 model was added." if added == 1 else f"{added} models were added."
            )
        elif known:
            what = (
                "It is in the library already." if known == 1 else f"All {known} are in the library already."
            )
            self._context.message.emit("info", what)
        if failed:
            more = f" And {failed - 1} more could not be added." if failed > 1 else ""
            self._context.message.emit("bad", f"{self._failures[0]}{more}")
        if added:
            self._context.models_changed.emit()
