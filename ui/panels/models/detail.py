"""The panel beside the list: all that is known of one model, and what can be done with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QEvent, QObject, Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QFrame,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from ui import format as show
from ui.panels.models.actions import ModelActions
from ui.panels.models.bits import BitsChart
from ui.panels.models.fits import Estimator, FitsPanel
from ui.panels.models.hash_row import HashRow
from ui.panels.models.heading import Heading, source_line
from ui.panels.models.tags import TagsEditor
from ui.panels.models.template_dialog import TemplateDialog
from ui.theme import Theme
from ui.widgets.fact_grid import Fact, FactGrid
from ui.widgets.model_words import bits_line, format_title
from ui.widgets.proof_card import ProofCard
from ui.widgets.tuning_words import tuning_rows
from workbench.errors import WorkbenchError
from workbench.library.bases import base_to_load
from workbench.library.hashing import HashProgress
from workbench.library.records import ModelRecord
from workbench.measure.proofs import KeptCard
from workbench.model import CONTAINER_TITLES, AdapterFacts, ModelFacts

#: Notes are kept when the typing pauses this long, and when the field is left.
_NOTES_PAUSE_MS = 800


class DetailPanel(QFrame):
    """Shows one model. It changes nothing itself: each wish is a signal.

    Signals:
        wanted: A button was pressed: the name of the action (see `actions.py`, and `locate`), and the record.
        link_wanted: Go to a `model` or a `job`, by its id.
        tags_edited, notes_edited: The model's id and what was edited.
        export_wanted: Hand the shown proof over in a form (see `proof_card.py`).
    """

    wanted = Signal(str, object)
    link_wanted = Signal(str, str)
    tags_edited = Signal(str, tuple)
    notes_edited = Signal(str, str)
    export_wanted = Signal(str)

    def __init__(
        self,
        theme: Theme,
        facts: Callable[[str], ModelFacts],
        records: Callable[[], Sequence[ModelRecord]],
        estimate: Estimator,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setProperty("card", "true")
        self.setAccessibleName("Model details")
        self._read_facts = facts
        self._records = records
        self._record: ModelRecord | None = None
        self._facts: ModelFacts | None = None
        self._notes_timer = QTimer(self)
        self._notes_timer.setSingleShot(True)
        self._notes_timer.setInterval(_NOTES_PAUSE_MS)
        self._notes_timer.timeout.connect(self.keep_notes)
        self._build(theme, estimate)
        self.show_model(None, None, "", missing=False)

    @property
    def record(self) -> ModelRecord | None:
        return self._record

    @property
    def base(self) -> ModelRecord | None:
        """The model that the shown adapter is loaded with; None for a model, and where it is not there."""
        adapter = self._facts.adapter if self._facts is not None else None
        if self._record is None or adapter is None:
            return None
        return base_to_load(self._record, adapter.container, self._records())

    def show_model(
        self,
        record: ModelRecord | None,
        parent: ModelRecord | None,
        job_title: str,
        *,
        missing: bool,
        cards: Sequence[KeptCard] = (),
    ) -> None:
        """Show a model, what it was made from and by which job, and its proofs; or nothing."""
        same = record is not None and self._record is not None and record.id == self._record.id
        if not same:
            self.keep_notes()
        before, self._record = self._record, record
        self._scroll.setVisible(record is not None)
        self.buttons.setVisible(record is not None)
        self._nothing.setVisible(record is None)
        if record is None:
            return
        if not same or record.path != (before.path if before else None):
            self._show_facts(record)
        self.heading.show_model(record, parent, job_title, missing=missing, proved=bool(cards))
        self.show_cards(cards)
        self.tags.set_tags(record.tags)
        self._show_notes(record, same)
        if record.sha256:
            self.hash.show_known(record.sha256)
        elif not same:
            self.hash.show_waiting()
        self._show_actions(record, parent, missing=missing)
        if not same:
            self._scroll.verticalScrollBar().setValue(0)

    def show_cards(self, cards: Sequence[KeptCard]) -> None:
        """Show the proofs of the model; what a fine-tuning measured of an adapter stands for one."""
        measured = self._record is not None and self._record.format == "adapter"
        self.proof.setVisible(bool(cards) or not measured)
        self.proof.show_cards(cards)

    def show_hash(self, progress: HashProgress) -> None:
        """How far the hash of a model is; of no interest where another model is shown."""
        if self._record is not None and progress.model_id == self._record.id:
            self.hash.show_progress(progress)

    def refresh_fit(self) -> None:
        """The free memory changed."""
        if self._record is not None and self.isVisible():
            self.fits.refresh()

    def keep_notes(self) -> None:
        """Hand over what was typed and is not kept yet."""
        self._notes_timer.stop()
        if self._record is not None and self.notes.toPlainText() != self._record.notes:
            self.notes_edited.emit(self._record.id, self.notes.toPlainText())

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self.notes and event.type() == QEvent.Type.FocusOut:
            self.keep_notes()
        return super().eventFilter(watched, event)

    # ------------------------------------------------------------------ filling

    def _show_facts(self, record: ModelRecord) -> None:
        try:
            self._facts = self._read_facts(record.id)
        except WorkbenchError:
            # Removed by another process a moment ago; the list is about to say so.
            self._facts = None
        facts = self._facts
        self.bits.set_groups(facts.groups if facts else ())
        self._bits_section.setVisible(bool(facts and facts.groups))
        fits = facts is not None and facts.adapter is None
        self._fits_section.setVisible(fits)
        if fits:
            self.fits.set_model(facts)
        tuning = facts.tuning if facts is not None else None
        self._learned_section.setVisible(tuning is not None)
        if tuning is not None:
            self._learned.set_facts([Fact(*row) for row in tuning_rows(tuning)])
        self.template.setVisible(bool(facts and facts.chat_template))
        self._grid.set_facts(facts_of(record, facts))

    def _show_actions(self, record: ModelRecord, parent: ModelRecord | None, *, missing: bool) -> None:
        self.buttons.show_for(
            record,
            self._facts.adapter if self._facts is not None else None,
            parent=parent,
            base=self.base,
            missing=missing,
        )

    def _show_notes(self, record: ModelRecord, same: bool) -> None:
        if (same and self.notes.hasFocus()) or self.notes.toPlainText() == record.notes:
            return
        self.notes.blockSignals(True)
        self.notes.setPlainText(record.notes)
        self.notes.blockSignals(False)

    def _show_template(self) -> None:
        if self._record is not None and self._facts is not None and self._facts.chat_template:
            TemplateDialog(self._record.name, self._facts.chat_template, self).exec()

    # ------------------------------------------------------------------ building

    def _build(self, theme: Theme, estimate: Estimator) -> None:
        body = QWidget(self)
        body.setObjectName("panelBody")
        column = QVBoxLayout(body)
        column.setContentsMargins(18, 18, 18, 12)
        column.setSpacing(10)
        self.heading = Heading(theme, body)
        self.heading.link_wanted.connect(self.link_wanted)
        self.heading.locate_wanted.connect(lambda: self.wanted.emit("locate", self._record))
        self.heading.remove_wanted.connect(lambda: self.wanted.emit("remove", self._record))
        self.proof = ProofCard(theme, body)
        self.proof.measure_wanted.connect(lambda: self.wanted.emit("measure", self._record))
        self.proof.export_wanted.connect(self.export_wanted)
        self._grid = FactGrid(body)
        self.hash = HashRow(body)
        self.template = QPushButton("Show chat template", body)
        self.template.setAccessibleName("Show the chat template")
        self.template.clicked.connect(self._show_template)
        self.fits = FitsPanel(theme, estimate, body)
        self.bits = BitsChart(theme, body)
        self.tags = TagsEditor(body)
        self.tags.edited.connect(self._tell_tags)
        self._build_notes(body)
        self._learned = FactGrid(body)
        column.addWidget(self.heading)
        column.addWidget(self.proof)
        self._learned_section = _section(column, "What it learned", self._learned)
        self._facts_title = QLabel("What it is", body)
        self._facts_title.setProperty("role", "section")
        self._facts_title.setContentsMargins(0, 8, 0, 0)
        for widget in (self._facts_title, self._grid, self.hash):
            column.addWidget(widget)
        column.addWidget(self.template, 0, Qt.AlignmentFlag.AlignLeft)
        self._fits_section = _section(column, "Does it fit here?", self.fits)
        self._bits_section = _section(column, "What is stored how", self.bits)
        _section(column, "Tags", self.tags)
        _section(column, "Notes", self.notes)
        column.addStretch(1)
        self._scroll = QScrollArea(self)
        self._scroll.setWidgetResizable(True)
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._scroll.setWidget(body)
        self._nothing = QLabel("Choose a model to see what it is.", self)
        self._nothing.setProperty("role", "second")
        self._nothing.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._nothing.setWordWrap(True)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(1, 1, 1, 1)
        whole.setSpacing(0)
        whole.addWidget(self._nothing, 1)
        whole.addWidget(self._scroll, 1)
        self.buttons = ModelActions(self)
        self.buttons.wanted.connect(lambda name: self.wanted.emit(name, self._record))
        whole.addWidget(self.buttons)

    def _build_notes(self, body: QWidget) -> None:
        self.notes = QPlainTextEdit(body)
        self.notes.setAccessibleName("Notes")
        self.notes.setPlaceholderText("What you want to remember of this model")
        self.notes.setTabChangesFocus(True)
        self.notes.setFixedHeight(84)
        self.notes.textChanged.connect(self._notes_timer.start)
        self.notes.installEventFilter(self)

    def _tell_tags(self, tags: tuple[str, ...]) -> None:
        if self._record is not None:
            self.tags_edited.emit(self._record.id, tags)


def facts_of(record: ModelRecord, facts: ModelFacts | None) -> list[Fact]:
    """The lines of the panel, most asked for first; a fact that the header does not state has none."""
    if facts is not None and facts.adapter is not None:
        return [*_adapter_lines(record, facts.adapter), *_place_lines(record)]
    quantization = record.quantization
    if record.bits_per_weight:
        quantization += f" · {bits_line(record.bits_per_weight)} a weight"
    lines = [
        Fact("Architecture", record.architecture or "not stated"),
        Fact("Parameters", show.count(record.parameters), f"{record.parameters:,} weights"),
        Fact("Format", format_title(record.format)),
        Fact("Quantization", quantization or "not stated"),
    ]
    if facts is not None:
        if facts.context_length:
            lines.append(Fact("Context", f"{show.count(facts.context_length)} tokens"))
        if facts.experts:
            lines.append(Fact("Experts", f"{facts.experts_used or '?'} of {facts.experts} at a time"))
        if facts.layers:
            lines.append(Fact("Layers", str(facts.layers)))
        if facts.vocabulary:
            lines.append(Fact("Vocabulary", f"{show.count(facts.vocabulary)} tokens"))
        lines.append(Fact("Licence", facts.licence or "not stated"))
        if not facts.chat_template:
            lines.append(Fact("Chat template", "none"))
    return [*lines, *_place_lines(record)]


def _adapter_lines(record: ModelRecord, adapter: AdapterFacts) -> list[Fact]:
    strength = f"rank {adapter.rank}" if adapter.rank else "no rank"
    if adapter.alpha is not None:
        strength += f", alpha {show.number(adapter.alpha)}"
    modules = ", ".join(adapter.targets)
    return [
        Fact("Method", adapter.method),
        Fact("Strength", strength),
        Fact("Changes", modules or "not stated", modules.replace(", ", "\n")),
        Fact("Parameters", show.count(record.parameters), f"{record.parameters:,} weights"),
        Fact("Form", f"{CONTAINER_TITLES[adapter.container]} adapter"),
        Fact("Base", adapter.base or "none", adapter.base or ""),
    ]


def _place_lines(record: ModelRecord) -> list[Fact]:
    return [
        Fact("On disk", show.bytes(record.size_bytes), f"{record.size_bytes:,} bytes"),
        Fact("Owner", "used in place" if record.in_place else "Tenfold", source_line(record.source)),
        Fact("Path", str(record.path), str(record.path)),
    ]


def _section(column: QVBoxLayout, title: str, content: QWidget) -> QWidget:
    """A heading over some content, which can be hidden together."""
    holder = QWidget()
    inner = QVBoxLayout(holder)
    inner.setContentsMargins(0, 8, 0, 0)
    inner.setSpacing(8)
    label = QLabel(title, holder)
    label.setProperty("role", "section")
    inner.addWidget(label)
    inner.addWidget(content)
    column.addWidget(holder)
    return holder
