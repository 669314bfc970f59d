"""The files that are learned from, what their rows are, and what of them is held out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QPushButton, QWidget

from ui.panels.finetune.data_choice import DataChoice, DataFile
from ui.panels.finetune.figures import DataFigures
from ui.panels.finetune.file_rows import FileRows
from ui.panels.finetune.mapping import MappingForm
from ui.widgets.card import Card, label
from ui.widgets.form_inputs import CalmDoubleSpinBox

_MOST_HELD_OUT = 50.0


class ExamplesCard(Card):
    """Shows a `DataChoice` and says how a person changes it.

    Signals:
        edited: Carries the new `DataChoice`.
        sample_wanted: The dataset that came with Tenfold is to be used.
    """

    edited = Signal(object)
    sample_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent=parent)
        self._choice = DataChoice()
        self._suffixes: tuple[str, ...] = ()
        self.column.setSpacing(10)
        self.column.addLayout(self._build_head())
        self.files = FileRows(weighted=True)
        self.files.removed.connect(lambda path: self._edit(self._choice.without_file(path)))
        self.files.weighed.connect(lambda path, weight: self._edit(self._choice.with_weight(path, weight)))
        self.column.addWidget(self.files)
        self.mapping = MappingForm()
        self.mapping.edited.connect(self._mapped)
        self._build_held_out(self.mapping.head)
        self.column.addWidget(self.mapping)
        self.held_files = FileRows(weighted=False)
        self.held_files.removed.connect(self._drop_held_file)
        self.column.addWidget(self.held_files)
        self.figures = DataFigures()
        self.column.addSpacing(6)
        self.column.addWidget(self.figures)

    @property
    def file_filter(self) -> str:
        """What a file dialog offers."""
        endings = " ".join(f"*{each}" for each in self._suffixes)
        return f"Examples ({endings});;All files (*)" if endings else "All files (*)"

    def set_suffixes(self, suffixes: tuple[str, ...]) -> None:
        """The endings of the files that hold examples: what Tenfold reads, and what plugins do."""
        self._suffixes = suffixes

    def show_choice(self, choice: DataChoice, found_kind: str = "") -> None:
        """Show a choice, and what the rows were found to be."""
        self._choice = choice
        self.files.show_files(choice.files)
        self.mapping.show_mapping(choice.kind, dict(choice.fields), found_kind)
        self.held_files.show_files([DataFile(path) for path in choice.held_out_files])
        apart = bool(choice.held_out_files)
        self.share.blockSignals(True)
        self.share.setValue(choice.held_out * 100)
        self.share.blockSignals(False)
        self.share.setVisible(not apart)
        self._caption.setText("Held out: a file" if apart else "Held out")

    def show_state(self, text: str) -> None:
        """A word beside the heading, while the files are being read."""
        self._state.setText(text)

    def add_files(self) -> None:
        """Have the person choose files."""
        start = str(self._choice.files[-1].path.parent) if self._choice.files else ""
        chosen, _ = QFileDialog.getOpenFileNames(self, "Add examples", start, self.file_filter)
        if chosen:
            self._edit(self._choice.with_files([Path(each) for each in chosen]))

    def _add_held_file(self) -> None:
        start = str(self._choice.files[-1].path.parent) if self._choice.files else ""
        chosen, _ = QFileDialog.getOpenFileNames(self, "Examples for evaluation", start, self.file_filter)
        if chosen:
            paths = dict.fromkeys([*self._choice.held_out_files, *(Path(each) for each in chosen)])
            self._edit(replace(self._choice, held_out_files=tuple(paths)))

    def _drop_held_file(self, path: Path) -> None:
        kept = tuple(each for each in self._choice.held_out_files if each != path)
        self._edit(replace(self._choice, held_out_files=kept))

    def _mapped(self, kind: str, fields: tuple[tuple[str, str], ...]) -> None:
        if (kind, fields) != (self._choice.kind, self._choice.fields):
            self._edit(replace(self._choice, kind=kind, fields=fields))

    def _edit(self, choice: DataChoice) -> None:
        self._choice = choice
        self.edited.emit(choice)

    def _build_head(self) -> QHBoxLayout:
        head = QHBoxLayout()
        head.setSpacing(8)
        self.sample = QPushButton("Sample dataset")
        self.sample.setProperty("variant", "quiet")
        self.sample.setToolTip("Use the dataset that came with Tenfold instead")
        self.sample.clicked.connect(self.sample_wanted)
        self.add = QPushButton("Add files…")
        self.add.clicked.connect(self.add_files)
        self._state = label("", "caption")
        head.addWidget(label("Examples", "section"))
        head.addWidget(self._state)
        head.addStretch(1)
        head.addWidget(self.sample)
        head.addWidget(self.add)
        return head

    def _build_held_out(self, row: QHBoxLayout) -> None:
        """Add to the line of the mapping what is held out."""
        self._caption = label("Held out", "caption")
        self.share = CalmDoubleSpinBox()
        self.share.setRange(0, _MOST_HELD_OUT)
        self.share.setSuffix(" %")
        self.share.setFixedWidth(76)
        self.share.setAccessibleName("Share of the examples that is held out, in percent")
        self.share.setToolTip(
            "Never learned: what the held-out loss is measured on. Chosen by each row’s content, so that "
            "rows which are added move none"
        )
        self.share.valueChanged.connect(lambda value: self._edit(replace(self._choice, held_out=value / 100)))
        self._caption.setBuddy(self.share)
        self.use_file = QPushButton("File…")
        self.use_file.setProperty("variant", "quiet")
        self.use_file.setToolTip("Hold out the rows of a file of their own")
        self.use_file.setAccessibleName("Hold out the rows of a file of their own")
        self.use_file.clicked.connect(self._add_held_file)
        row.addSpacing(6)
        for widget in (self._caption, self.share, self.use_file):
            row.addWidget(widget)
