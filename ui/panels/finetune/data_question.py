"""Asks child processes what the chosen data is; the newest question alone is answered."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
from PySide6.QtCore import QObject, QTimer, Signal

from ui.json_process import JsonProcess
from ui.panels.finetune.data_answer import DataAnswer, FieldsAnswer, recut, typed
from ui.panels.finetune.data_choice import DataChoice
from workbench.data.preview import PreviewRow
from workbench.errors import WorkbenchError

#: How long a person may go on typing or dragging before the data is read anew.
_SETTLE_MS = 250
#: How many examples come with an answer, ready to be paged through.
PREVIEW_ROWS = 12


class DataQuestion(QObject):
    """One question at a time, through `tenfold data inspect`; and what fields the files have.

    Signals:
        began: The data is being read.
        progressed: How far it is: a share from 0 to 1.
        answered: What it is: a `DataAnswer`.
        failed: Why it can't be told: a `WorkbenchError`.
        fields_found: What fields the files have: a `FieldsAnswer`.
    """

    began = Signal()
    progressed = Signal(float)
    answered = Signal(object)
    failed = Signal(object)
    fields_found = Signal(object)

    def __init__(self, home: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._home = home
        self._words: list[str] = []
        self._subject: object = None
        self._limit = 0
        self._first_row = 0
        self._kept: tuple[object, tuple[PreviewRow, ...]] = (None, ())
        self._files: tuple[str, ...] = ()
        self._inspect = JsonProcess("workbench", self)
        self._inspect.answered.connect(self._take)
        self._inspect.failed.connect(self.failed)
        self._fields = JsonProcess("workbench", self)
        self._fields.answered.connect(self._take_fields)
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(_SETTLE_MS)
        self._soon.timeout.connect(lambda: self._inspect.ask(self._words))

    @property
    def is_asking(self) -> bool:
        return self._soon.isActive() or self._inspect.is_running

    def ask(self, choice: DataChoice, model_id: str, backend: str = "", first_row: int = 0) -> None:
        """Ask about a choice as a model sees it; a choice without files ends what is being asked.

        Args:
            backend: What would train, for estimates and good defaults; by the model's format where empty.
            first_row: The example to begin the preview with, from 0.
        """
        if not choice.files:
            self.stop()
            return
        subject = _subject(choice, model_id, first_row)
        # Turning ids into texts takes most of the time; another cut-off changes none of them.
        known = subject is not None and subject == self._kept[0]
        asked = words_of(choice, model_id, first_row, 0 if known else PREVIEW_ROWS)
        asked += ["--backend", backend] if backend else []
        words = ["--home", str(self._home), "--json", *asked]
        if words == self._words and self.is_asking:
            return
        self._words, self._subject = words, subject
        self._first_row, self._limit = first_row, choice.max_tokens
        self._inspect.stop()
        self._soon.start()
        self.began.emit()

    def ask_fields(self, choice: DataChoice) -> None:
        """Ask what fields the files have, unless that is known."""
        files = tuple(str(each.path) for each in choice.files)
        if files and files != self._files:
            self._files = files
            self._fields.ask(["--home", str(self._home), "--json", "data", "fields", *files])

    def stop(self) -> None:
        """Ask nothing more; what is being read is forgotten."""
        self._soon.stop()
        self._inspect.stop()
        self._fields.stop()
        self._files = ()

    def _take(self, said: dict[str, object]) -> None:
        progress = said.get("progress")
        if isinstance(progress, dict):
            self.progressed.emit(progress["done"] / max(progress["total"], 1))
            return
        try:
            answer = typed(said, DataAnswer)
        except WorkbenchError as error:
            self.failed.emit(error)
            return
        rows = answer.preview
        if not rows and self._subject == self._kept[0]:
            rows = tuple(recut(row, self._limit) for row in self._kept[1])
        self._kept = (self._subject, rows)
        self.answered.emit(msgspec.structs.replace(answer, first_row=self._first_row, preview=rows))

    def _take_fields(self, said: dict[str, object]) -> None:
        self.fields_found.emit(typed(said, FieldsAnswer))


def words_of(choice: DataChoice, model_id: str, first_row: int, rows: int) -> list[str]:
    """The question as words of the command line, with so many examples to show."""
    words = ["data", "inspect", *(str(each.path) for each in choice.files), "--model", model_id]
    words += ["--kind", choice.kind]
    for part, field in choice.fields:
        words += ["--map", f"{part}={field}"]
    if any(each.weight != 1 for each in choice.files):
        for each in choice.files:
            words += ["--weight", f"{each.weight:g}"]
    words += ["--train-on", choice.trained, "--max-tokens", str(choice.max_tokens)]
    words += ["--long", choice.long_rows, "--bad", choice.bad_rows, "--held-out", f"{choice.held_out:g}"]
    for path in choice.held_out_files:
        words += ["--held-out-file", str(path)]
    return [*words, "--preview", str(rows), "--offset", str(first_row), "--progress"]


def _subject(choice: DataChoice, model_id: str, first_row: int) -> object:
    """What the shown examples follow from, but for the cut-off; None where they follow from that too."""
    if choice.long_rows == "skip":
        return None
    return replace(choice, max_tokens=0, bad_rows=""), model_id, first_row
