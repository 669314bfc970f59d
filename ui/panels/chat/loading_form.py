"""How a model is loaded: engine, context, cache, draft; what excludes what is said at once."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QPushButton, QVBoxLayout, QWidget

from ui.panels.chat.draft_choice import DraftChoice
from ui.panels.chat.rows import add_row, count, narrow_form, refill
from ui.widgets.card import label
from ui.widgets.form_inputs import CalmComboBox
from workbench.engines.choose import ENGINES, choose_engine, conflicts
from workbench.engines.request import AdapterOptions, LoadOptions
from workbench.errors import WorkbenchError
from workbench.hardware import machine
from workbench.home import Home
from workbench.library.records import ModelRecord
from workbench.model import ModelFormat

FORMATS: dict[str, ModelFormat] = {"gguf": "gguf", "hf": "hf", "mlx": "mlx"}
_ALL_LAYERS = -1


class LoadingForm(QWidget):
    """See the module.

    Args:
        home: Where computed prompts are kept, when the person wants them kept, and plugins lie.

    Signals:
        edited: Another way of loading is asked for.
    """

    edited = Signal()

    def __init__(self, home: Home, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._prompts = home.cache / "prompts"
        self._record: ModelRecord | None = None
        self.engine = CalmComboBox()
        self.context = count(
            0, 10_000_000, "Longest conversation in tokens; automatic is what the model was made for"
        )
        self.context.setSpecialValueText("Automatic")
        self.context.setSingleStep(1024)
        self.kv_type = CalmComboBox()
        for title, value in (("16 bits", "f16"), ("8 bits", "q8_0"), ("4 bits", "q4_0")):
            self.kv_type.addItem(title, value)
        self.flash = CalmComboBox()
        for text, choice in (("Automatic", None), ("On", True), ("Off", False)):
            self.flash.addItem(text, choice)
        self.gpu_layers = count(_ALL_LAYERS, 1000, "Layers on the GPU; automatic is all that fit")
        self.gpu_layers.setSpecialValueText("Automatic")
        self.gpu_layers.setValue(_ALL_LAYERS)
        self.weights = CalmComboBox()
        for title, value in (("As they are", "as-is"), ("8 bits", "8-bit"), ("4 bits", "4-bit")):
            self.weights.addItem(title, value)
        self.weights.setToolTip("Quantize while loading, with bitsandbytes")
        self.draft = DraftChoice(home)
        self._proposal = QPushButton()
        self._proposal.setProperty("variant", "quiet")
        self._proposal.clicked.connect(self.draft.use_proposal)
        self._proposal.setVisible(False)
        self.keep_prompts = QCheckBox("Keep computed prompts on disk")
        self.keep_prompts.setToolTip("The beginning of a conversation is not computed again after a restart")
        self._conflicts = label("", "caption", wrap=True)
        self._conflicts.setProperty("tone", "warn")
        self._conflicts.setVisible(False)
        refill(self.engine, [("Automatic", None)])
        self._build()

    def options(
        self, record: ModelRecord, *, parallel: int, adapters: tuple[AdapterOptions, ...] = ()
    ) -> LoadOptions:
        """How the model is to be loaded."""
        layers = self.gpu_layers.value()
        return LoadOptions(
            path=str(record.path),
            format=FORMATS[record.format],
            engine=self.engine.currentData(),
            context=self.context.value() or None,
            parallel=parallel,
            gpu_layers=None if layers == _ALL_LAYERS else layers,
            kv_type=self.kv_type.currentData(),
            flash_attention=self.flash.currentData(),
            weights=self.weights.currentData(),
            draft=self.draft.options(),
            adapters=adapters,
            prompt_cache=str(self._prompts) if self.keep_prompts.isChecked() else None,
        )

    def set_model(self, record: ModelRecord, models: Sequence[ModelRecord]) -> None:
        """Offer what suits this model: its engines, and drafts of its kind that are smaller."""
        self._record = record
        self.blockSignals(True)
        refill(
            self.engine, [("Automatic", None), *((name, name) for name in ENGINES[FORMATS[record.format]])]
        )
        self.draft.set_model(record, models)
        self.blockSignals(False)
        self._show_notes()

    def _build(self) -> None:
        form = narrow_form()
        for name, field in (
            ("Engine", self.engine),
            ("Context", self.context),
            ("KV cache", self.kv_type),
            ("Flash attention", self.flash),
            ("Draft", self.draft),
        ):
            add_row(form, name, field)
        # Nothing to choose where there is no GPU; MLX and the CPU have no layers to move.
        if any(gpu.kind == "cuda" for gpu in machine().gpus):
            add_row(form, "GPU layers", self.gpu_layers)
            add_row(form, "Weights", self.weights)
        for box in (self.engine, self.kv_type, self.flash, self.draft, self.weights):
            box.currentIndexChanged.connect(self._edited)
        for spin in (self.context, self.gpu_layers):
            spin.valueChanged.connect(self._edited)
        self.keep_prompts.toggled.connect(self._edited)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(form)
        column.addWidget(self._proposal)
        column.addWidget(self.keep_prompts)
        column.addWidget(self._conflicts)

    def _edited(self) -> None:
        if not self.signalsBlocked():
            self._show_notes()
            self.edited.emit()

    def _show_notes(self) -> None:
        record, proposed = self._record, self.draft.proposed
        if record is None:
            return
        offered = proposed is not None and not self.draft.currentData()
        self._proposal.setVisible(offered)
        if proposed is not None:
            share = proposed.size_bytes / record.size_bytes
            self._proposal.setText(f"Guess with {proposed.quantization} ({share:.0%} of its size)")
            self._proposal.setToolTip(
                f"{proposed.name} may guess ahead for {record.name}. The answers stay the same;"
                " whether they come sooner is measured while it answers."
            )
        try:
            options = self.options(record, parallel=1)
            found = conflicts(options, choose_engine(options))
            said = " ".join(f"{each.problem} {each.proposal}" for each in found)
        except WorkbenchError as error:
            said = str(error)
        self._conflicts.setText(said)
        self._conflicts.setVisible(bool(said))
