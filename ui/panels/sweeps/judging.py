"""The part of a sweep's form that says what decides: the figure that is compared, and the proof behind it."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QGridLayout, QWidget

from ui.widgets.card import label
from ui.widgets.form_inputs import CalmComboBox
from workbench.catalogue_entry import OperationEntry
from workbench.cluster.sweep_file import Mode
from workbench.cluster.sweep_trial import FIGURES, PROOF_FIGURES
from workbench.jobs.proof_jobs import can_end_with_proof

#: What a figure is called, and which end of it is the better one.
_FIGURES: dict[str, tuple[str, Mode]] = {
    "mean_kld": ("Distance from the original (mean KLD)", "min"),
    "ppl_ratio": ("Perplexity, over the original’s", "min"),
    "same_top": ("Same top token as the original", "max"),
    "tokens_per_s": ("Tokens per second", "max"),
    "size_bytes": ("Size of the result", "min"),
    "seconds": ("Time that the job took", "min"),
}
_PROOFS = (("No proof", ""), ("Quick proof", "quick"), ("Full proof", "full"))


class Judging(QWidget):
    """Offers what the jobs of the operation reported before, and what is known of every job.

    Args:
        entry: The last step.
        first: Series that are offered before all others.
        reported: Further series that its jobs are known to report.

    Signals:
        edited: Something else decides now.
    """

    edited = Signal()

    def __init__(
        self,
        entry: OperationEntry,
        first: Sequence[str],
        reported: Sequence[str],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._first = tuple(first)
        self._reported = tuple(each for each in reported if each not in first)
        self.metric = CalmComboBox(self)
        self.metric.setEditable(True)
        self.metric.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.metric.setAccessibleName("Compare by")
        self.metric.setToolTip("A figure of the finished job, or the name of a series that it reports")
        self.mode = CalmComboBox(self)
        self.mode.setAccessibleName("Which is better")
        self.mode.addItem("Lower is better", "min")
        self.mode.addItem("Higher is better", "max")
        self.proof = CalmComboBox(self)
        self.proof.setAccessibleName("Measure each result")
        for title, form in _PROOFS:
            self.proof.addItem(title, form)
        self._lay_out()
        self.set_last(entry)
        self.metric.currentIndexChanged.connect(self._take_metric)
        self.metric.editTextChanged.connect(self._edited)
        for box in (self.mode, self.proof):
            box.currentIndexChanged.connect(self._edited)

    @property
    def name(self) -> str:
        """The figure or series that is compared."""
        text = self.metric.currentText().strip()
        at = self.metric.findText(text, Qt.MatchFlag.MatchExactly)
        return str(self.metric.itemData(at)) if at >= 0 else text

    @property
    def better(self) -> Mode:
        return "max" if self.mode.currentData() == "max" else "min"

    @property
    def proof_form(self) -> str:
        return str(self.proof.currentData()) if self.proof.isEnabled() else ""

    @property
    def reports_meanwhile(self) -> bool:
        """Whether the figure comes while a trial works, so that one that lags behind can be told."""
        return self.name not in FIGURES

    def set_last(self, entry: OperationEntry) -> None:
        """Offer what can be known of what the last step makes."""
        provable = can_end_with_proof(entry)
        kept = self.name
        self.metric.blockSignals(True)
        self.metric.clear()
        figures = (*(("size_bytes",) if entry.output is not None else ()), "seconds")
        for name in (*self._first, *(PROOF_FIGURES if provable else ()), *self._reported, *figures):
            self.metric.addItem(_FIGURES[name][0] if name in _FIGURES else name, name)
        at = self.metric.findData(kept)
        self.metric.setCurrentIndex(max(0, at))
        if at < 0 and kept and kept not in _FIGURES:
            self.metric.setEditText(kept)
        self.metric.blockSignals(False)
        self.proof.setEnabled(provable)
        self.proof.setToolTip("" if provable else "Nothing is made here that could be measured so")
        self.proof.setCurrentIndex(1 if provable else 0)
        self._take_metric()

    def _take_metric(self) -> None:
        name = self.name
        if name in _FIGURES:
            self.mode.setCurrentIndex(self.mode.findData(_FIGURES[name][1]))
        elif name in (*self._first, *self._reported):
            self.mode.setCurrentIndex(self.mode.findData("min"))
        self._edited()

    def _edited(self, *_: object) -> None:
        self.edited.emit()

    def _lay_out(self) -> None:
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(4)
        parts = (
            ("Compare by", self.metric, 6),
            ("Better", self.mode, 3),
            ("Measure each result", self.proof, 3),
        )
        for column, (title, box, stretch) in enumerate(parts):
            caption = label(title, "caption", self)
            caption.setBuddy(box)
            grid.addWidget(caption, 0, column)
            grid.addWidget(box, 1, column)
            grid.setColumnStretch(column, stretch)
