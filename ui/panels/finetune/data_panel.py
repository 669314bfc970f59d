"""The first step: which examples are learned, what is in them, and what the model is shown of each."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDropEvent, QResizeEvent
from PySide6.QtWidgets import QFrame, QGridLayout, QScrollArea, QStackedWidget, QVBoxLayout, QWidget

from ui import format
from ui.panels.finetune.data_answer import DataAnswer, FieldsAnswer
from ui.panels.finetune.data_choice import DataChoice
from ui.panels.finetune.drop_zone import DropZone
from ui.panels.finetune.examples_card import ExamplesCard
from ui.panels.finetune.lengths_card import LengthsCard
from ui.panels.finetune.preview_card import PreviewCard
from ui.panels.finetune.row_lists import RowListsCard
from ui.theme import Theme
from ui.widgets.message import MessageBar
from workbench.errors import WorkbenchError
from workbench.params import FieldSpec
from workbench.tuning.defaults import Default

#: From this width on the tokens stand beside the figures instead of below them.
_TWO_COLUMNS = 900
_PREVIEW_HEIGHT = 330
#: Fields that a message names.
_NAMED = 12


class DataPanel(QWidget):
    """Shows a `DataChoice` and the answer about it, and says how a person changes the choice.

    Signals:
        edited: Carries the new `DataChoice`.
        sample_wanted: The dataset that came with Tenfold is to be used.
        row_wanted: An example is to be shown that is not at hand; carries its number from 0.
        fields_wanted: The names of the files' fields are needed.
    """

    edited = Signal(object)
    sample_wanted = Signal()
    row_wanted = Signal(int)
    fields_wanted = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._choice = DataChoice()
        self._answer: DataAnswer | None = None
        self._usual_limit = self._choice.max_tokens
        self._wide: bool | None = None
        self.setAcceptDrops(True)
        self.drop_zone = DropZone(theme)
        self.examples = ExamplesCard()
        self.trouble = MessageBar("bad", "", "", "")
        self.lengths = LengthsCard(theme)
        self.preview = PreviewCard(theme)
        self.lists = RowListsCard()
        self._build()
        self._connect()
        self.show_choice(self._choice)

    @property
    def choice(self) -> DataChoice:
        return self._choice

    @property
    def answer(self) -> DataAnswer | None:
        return self._answer

    def set_fields(self, fields: tuple[FieldSpec, ...], context_length: int | None) -> None:
        """What the operation and the model allow."""
        specs = {spec.name: spec for spec in fields}
        self.lengths.set_specs(specs.get("max_tokens"), specs.get("long_rows"), context_length)
        self.preview.set_spec(specs.get("trained"))
        self.lists.set_spec(specs.get("bad_rows"))
        self.examples.set_suffixes(specs["data"].suffixes if "data" in specs else ())

    def show_choice(self, choice: DataChoice) -> None:
        """Show a choice. Without files nothing else is shown than where to put some."""
        self._choice = choice
        if not choice.files:
            self._answer = None
            self.trouble.hide()
            self.examples.figures.show_answer(None)
        kind = self._answer.kind if self._answer is not None else ""
        self.examples.show_choice(choice, kind)
        self.lengths.show_choice(choice.max_tokens, choice.long_rows)
        self.preview.trained.set_value(choice.trained)
        self.lists.choice.set_value(choice.bad_rows)
        self._stack.setCurrentWidget(self._scroll if choice.files else self._empty)

    def suggest_limit(self, default: Default | None) -> None:
        """Take a good cut-off, unless a person chose one."""
        untouched = self._choice.max_tokens == self._usual_limit
        self.lengths.show_default(default)
        if default is not None:
            self._usual_limit = default.value
            if untouched:
                self._edit(replace(self._choice, max_tokens=default.value))

    def choose(self, choice: DataChoice) -> None:
        """Take a choice as if a person had made it."""
        self._edit(choice)

    def show_reading(self, share: float | None = None) -> None:
        """The data is being read, so far; what was there before stays until the answer comes."""
        done = "" if share is None else f" {format.percent(share)}"
        self.examples.show_state(f"reading…{done}")

    def show_fields(self, found: FieldsAnswer) -> None:
        """Offer the fields of the files for mapping them by hand."""
        fields: dict[str, str] = {}
        for file in found.files:
            fields = file.fields | fields
        self.examples.mapping.set_known_fields(fields)
        if self.trouble.isVisibleTo(self) and any(file.layout is None for file in found.files):
            names = ", ".join(list(fields)[:_NAMED])
            self.trouble.show_message(
                "bad",
                "What the rows are can’t be told from their fields.",
                f"Say it above, beside “Rows”: what they are, then the field of each part. "
                f"The fields are {names}.",
            )

    def show_answer(self, answer: DataAnswer) -> None:
        """Show what the data is."""
        self._answer = answer
        self._show_refusals(answer)
        self.examples.show_state("")
        self.examples.show_choice(self._choice, answer.kind)
        self.examples.figures.show_answer(answer)
        self.lengths.show_answer(answer, self._choice.max_tokens)
        self.preview.show_rows(answer.preview, answer.first_row, answer.rows)
        self.lists.show_answer(answer)
        self.lengths.setVisible(True)
        self.preview.setVisible(True)

    def show_trouble(self, error: WorkbenchError) -> None:
        """Say why the data can't be used, in its place."""
        self._answer = None
        self.examples.show_state("")
        self.examples.show_choice(self._choice)
        self.examples.figures.show_answer(None)
        self.trouble.show_message("bad", error.message, error.remedy, error.details)
        self.trouble.show()
        for card in (self.lengths, self.preview, self.lists):
            card.hide()

    def add_files(self) -> None:
        """Have the person choose files."""
        self.examples.add_files()

    def _show_refusals(self, answer: DataAnswer) -> None:
        self.trouble.setVisible(bool(answer.refused))
        if answer.refused:
            self.trouble.show_message(
                "warn", "Training would not begin on this.", "\n".join(answer.refused), ""
            )

    # ------------------------------------------------------------------ dropping

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if _files(event):
            event.acceptProposedAction()
            self.drop_zone.set_hovered(True)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self.drop_zone.set_hovered(False)

    def dropEvent(self, event: QDropEvent) -> None:
        self.drop_zone.set_hovered(False)
        files = _files(event)
        if files:
            event.acceptProposedAction()
            self._edit(self._choice.with_files(files))

    # ------------------------------------------------------------------ building

    def _edit(self, choice: DataChoice) -> None:
        if choice != self._choice:
            self.show_choice(choice)
            self.edited.emit(choice)

    def _connect(self) -> None:
        self.drop_zone.add_wanted.connect(self.add_files)
        self.drop_zone.sample_wanted.connect(self.sample_wanted)
        self.examples.sample_wanted.connect(self.sample_wanted)
        self.examples.edited.connect(self._edit)
        self.examples.mapping.fields_wanted.connect(self.fields_wanted)
        self.lengths.limit_chosen.connect(lambda limit: self._edit(replace(self._choice, max_tokens=limit)))
        self.lengths.long_chosen.connect(lambda value: self._edit(replace(self._choice, long_rows=value)))
        self.preview.trained_chosen.connect(lambda value: self._edit(replace(self._choice, trained=value)))
        self.preview.row_wanted.connect(self.row_wanted)
        self.lists.bad_chosen.connect(lambda value: self._edit(replace(self._choice, bad_rows=value)))

    def _build(self) -> None:
        self.trouble.hide()
        self.lengths.hide()
        self.preview.hide()
        self.preview.setMinimumHeight(_PREVIEW_HEIGHT)
        self._cards = QWidget()
        self._grid = QGridLayout(self._cards)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(12)
        self._arrange(wide=False)
        self._scroll = QScrollArea()
        self._scroll.setWidgetResizable(True)
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._scroll.setWidget(self._cards)
        self._empty = QFrame()
        self._empty.setProperty("card", "true")
        inside = QVBoxLayout(self._empty)
        inside.setContentsMargins(16, 16, 16, 16)
        inside.addWidget(self.drop_zone)
        self._stack = QStackedWidget()
        self._stack.addWidget(self._empty)
        self._stack.addWidget(self._scroll)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._stack)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange(wide=self.width() >= _TWO_COLUMNS)

    def _arrange(self, *, wide: bool) -> None:
        """One column, or two with the tokens on the right."""
        if wide == self._wide:
            return
        self._wide = wide
        left = (self.examples, self.trouble, self.lengths, self.lists)
        for row, card in enumerate(left if wide else (*left[:2], self.preview, *left[2:])):
            self._grid.addWidget(card, row, 0)
        if wide:
            self._grid.addWidget(self.preview, 0, 1, len(left) + 1, 1)
        for row in range(self._grid.rowCount()):
            self._grid.setRowStretch(row, 0)
        self._grid.setRowStretch(4 if wide else 5, 1)
        self._grid.setColumnStretch(0, 1)
        self._grid.setColumnStretch(1, 1 if wide else 0)


def _files(event: QDropEvent) -> list[Path]:
    return [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
