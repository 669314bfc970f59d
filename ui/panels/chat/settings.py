"""How answers are made: the system prompt, sampling, and how the model is loaded."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QFrame,
    QLineEdit,
    QPlainTextEdit,
    QScrollArea,
    QSizePolicy,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from ui.widgets.card import label
from ui.widgets.form_inputs import CalmComboBox
from workbench.engines.choose import ENGINES, choose_engine, conflicts
from workbench.engines.request import DraftOptions, LoadOptions, Overflow, Sampling
from workbench.errors import WorkbenchError
from workbench.library.records import ModelRecord
from workbench.model import FORMAT_TITLES, ModelFormat

_FORMATS: dict[str, ModelFormat] = {"gguf": "gguf", "hf": "hf", "mlx": "mlx"}
_LABEL_WIDTH = 92
_TEXT_MARGINS = (8, 0, 0, 0)
#: Sampling as most models' makers advise it, the careful end, and the likeliest token every time.
PRESETS: dict[str, Sampling] = {
    "Balanced": Sampling(),
    "Precise": Sampling(temperature=0.2, top_k=20, top_p=0.9, min_p=0.1),
    "Creative": Sampling(temperature=1.1, top_k=0, top_p=0.98, min_p=0.03),
    "Greedy": Sampling(temperature=0.0, top_k=0, top_p=1.0, min_p=0.0),
}


class ChatSettings(QScrollArea):
    """See the module.

    Signals:
        system_changed: The person is done changing the system prompt.
        loading_changed: Another way of loading is asked for.
    """

    system_changed = Signal(str)
    loading_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWidgetResizable(True)
        self.setAccessibleName("Settings of the conversation")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._record: ModelRecord | None = None
        self._column = QVBoxLayout()
        inside = QWidget()
        inside.setLayout(self._column)
        self.setWidget(inside)
        self._column.setContentsMargins(0, 8, 14, 0)
        self._column.setSpacing(8)
        self._build_system()
        self._build_sampling()
        self._build_loading()
        self._column.addStretch(1)

    def sampling(self) -> Sampling:
        """What is chosen for the next answer."""
        seed = self._seed.text().strip()
        return Sampling(
            temperature=self._temperature.value(),
            top_k=self._top_k.value(),
            top_p=max(0.01, self._top_p.value()),
            min_p=self._min_p.value(),
            repetition_penalty=self._penalty.value(),
            seed=int(seed) if seed.isdigit() else None,
            max_tokens=self._longest.value() or None,
            stop=tuple(part for part in self._stop.text().split("|") if part),
        )

    def overflow(self) -> Overflow:
        """What happens when the context is full."""
        return "shift" if self._overflow.currentIndex() == 1 else "error"

    def load_options(self, record: ModelRecord, *, parallel: int = 1) -> LoadOptions:
        """How the model is to be loaded."""
        draft: DraftOptions | None = None
        chosen = self._draft.currentData()
        if chosen == "ngram":
            draft = DraftOptions(kind="ngram")
        elif isinstance(chosen, str) and chosen:
            draft = DraftOptions(kind="model", path=chosen)
        return LoadOptions(
            path=str(record.path),
            format=_FORMATS[record.format],
            engine=self._engine.currentData(),
            context=self._context.value() or None,
            parallel=parallel,
            kv_type=self._kv_type.currentData(),
            flash_attention=self._flash.currentData(),
            draft=draft,
        )

    def system(self) -> str:
        """The system prompt."""
        return self._system.toPlainText().strip()

    def set_system(self, text: str) -> None:
        """Show a conversation's system prompt."""
        if text != self._system.toPlainText():
            self._system.setPlainText(text)

    def set_model(self, record: ModelRecord, others: Sequence[ModelRecord]) -> None:
        """Offer what suits this model: its engines, and drafts of its kind that are smaller."""
        self._record = record
        self.blockSignals(True)
        engines = ENGINES[_FORMATS[record.format]]
        _refill(self._engine, [("Automatic", None), *((name, name) for name in engines)])
        drafts = sorted(
            (other for other in others if _may_draft(other, record)), key=lambda other: other.size_bytes
        )
        _refill(
            self._draft,
            [
                ("None", ""),
                ("The prompt itself (n-grams)", "ngram"),
                *((f"{other.name} · {other.quantization}", str(other.path)) for other in drafts),
            ],
        )
        self.blockSignals(False)
        self._show_conflicts()

    def _build_system(self) -> None:
        self._column.addWidget(label("System prompt", "section"))
        self._system = QPlainTextEdit()
        self._system.setPlaceholderText("The model’s own")
        self._system.setAccessibleName("System prompt")
        self._system.setObjectName("system-prompt")
        self._system.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._system.setMaximumHeight(84)
        self._system.setTabChangesFocus(True)
        self._system.textChanged.connect(lambda: self.system_changed.emit(self.system()))
        self._column.addWidget(self._system)

    def _build_sampling(self) -> None:
        self._column.addSpacing(8)
        self._column.addWidget(label("Sampling", "section"))
        form = self._form()
        preset = CalmComboBox()
        preset.addItems([*PRESETS, "My own"])
        self._preset = preset
        self._temperature = _number(0, 5, 0.05, "Divides the logits; 0 takes the likeliest token every time")
        self._top_k = _count(0, 1000, "Only this many of the likeliest tokens; 0 for all")
        self._top_p = _number(0.01, 1, 0.01, "Only the likeliest tokens that together have this probability")
        self._min_p = _number(0, 1, 0.01, "Only tokens with this share of the likeliest one’s probability")
        self._penalty = _number(0.5, 2, 0.01, "Above 1 makes what was said lately less likely")
        self._penalty.setValue(1.0)
        self._seed = QLineEdit()
        self._seed.setPlaceholderText("Random")
        self._seed.setToolTip("The same seed gives the same text")
        self._longest = _count(0, 100_000, "The longest answer in tokens; 0 for what the context leaves")
        self._stop = QLineEdit()
        self._stop.setPlaceholderText("None; several with | between")
        self._overflow = CalmComboBox()
        self._overflow.addItems(["Refuse to go on", "Drop the oldest"])
        for name, widget in (
            ("Preset", preset),
            ("Temperature", self._temperature),
            ("Top-k", self._top_k),
            ("Top-p", self._top_p),
            ("Min-p", self._min_p),
            ("Repetition", self._penalty),
            ("Seed", self._seed),
            ("Longest", self._longest),
            ("Stop texts", self._stop),
            ("Full context", self._overflow),
        ):
            _place(form, name, widget)
        preset.activated.connect(self._take_preset)
        self._take_preset(0)
        for box in (self._temperature, self._top_p, self._min_p, self._top_k):
            box.valueChanged.connect(self._name_preset)

    def _build_loading(self) -> None:
        self._column.addSpacing(8)
        self._column.addWidget(label("Loading", "section"))
        form = self._form()
        self._engine = CalmComboBox()
        self._context = _count(
            0, 10_000_000, "Longest conversation in tokens; 0 for what the model was made for"
        )
        self._context.setSpecialValueText("Automatic")
        self._context.setSingleStep(1024)
        self._kv_type = CalmComboBox()
        for title, value in (("16 bits", "f16"), ("8 bits", "q8_0"), ("4 bits", "q4_0")):
            self._kv_type.addItem(title, value)
        self._flash = CalmComboBox()
        for text, choice in (("Automatic", None), ("On", True), ("Off", False)):
            self._flash.addItem(text, choice)
        self._draft = CalmComboBox()
        _refill(self._engine, [("Automatic", None)])
        _refill(self._draft, [("None", ""), ("The prompt itself (n-grams)", "ngram")])
        for name, widget in (
            ("Engine", self._engine),
            ("Context", self._context),
            ("KV cache", self._kv_type),
            ("Flash attention", self._flash),
            ("Draft", self._draft),
        ):
            _place(form, name, widget)
        for box in (self._engine, self._kv_type, self._flash, self._draft):
            box.currentIndexChanged.connect(self._loading_edited)
        self._context.valueChanged.connect(self._loading_edited)
        self._conflicts = label("", "caption", wrap=True)
        self._conflicts.setProperty("tone", "warn")
        self._conflicts.setVisible(False)
        self._column.addWidget(self._conflicts)

    def _form(self) -> QFormLayout:
        form = QFormLayout()
        form.setHorizontalSpacing(10)
        form.setVerticalSpacing(6)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)
        self._column.addLayout(form)
        return form

    def _take_preset(self, index: int) -> None:
        found = PRESETS.get(self._preset.itemText(index))
        if found is not None:
            self._temperature.setValue(found.temperature)
            self._top_k.setValue(found.top_k)
            self._top_p.setValue(found.top_p)
            self._min_p.setValue(found.min_p)
            self._preset.setCurrentIndex(index)

    def _name_preset(self) -> None:
        now = (self._temperature.value(), self._top_k.value(), self._top_p.value(), self._min_p.value())
        names = [
            name
            for name, each in PRESETS.items()
            if now == (each.temperature, each.top_k, each.top_p, each.min_p)
        ]
        self._preset.setCurrentText(names[0] if names else "My own")

    def _loading_edited(self) -> None:
        if not self.signalsBlocked():
            self._show_conflicts()
            self.loading_changed.emit()

    def _show_conflicts(self) -> None:
        if self._record is None:
            return
        try:
            options = self.load_options(self._record)
            found = conflicts(options, choose_engine(options))
            said = " ".join(f"{each.problem} {each.proposal}" for each in found)
        except WorkbenchError as error:
            said = str(error)
        self._conflicts.setText(said)
        self._conflicts.setVisible(bool(said))


def _place(form: QFormLayout, name: str, field: QWidget) -> None:
    """A row whose field takes what width is left, however long its choices are."""
    field.setAccessibleName(name)
    field.setMinimumWidth(60)
    field.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    text = label(name, "caption")
    text.setFixedSize(_LABEL_WIDTH, field.sizeHint().height())
    text.setBuddy(field)
    form.addRow(text, field)


def _may_draft(other: ModelRecord, record: ModelRecord) -> bool:
    """Whether a model could guess for another; that the vocabularies are the same is checked on loading."""
    return (
        other.format == record.format
        and other.architecture == record.architecture
        and other.size_bytes < record.size_bytes
    )


def _refill(box: QComboBox, items: Sequence[tuple[str, object]]) -> None:
    chosen = box.currentData()
    box.clear()
    for title, value in items:
        box.addItem(title, value)
    box.setCurrentIndex(max(0, box.findData(chosen)))


def _number(low: float, high: float, step: float, tip: str) -> QDoubleSpinBox:
    box = QDoubleSpinBox()
    box.setRange(low, high)
    box.setSingleStep(step)
    box.setDecimals(2)
    box.setToolTip(tip)
    box.lineEdit().setTextMargins(*_TEXT_MARGINS)
    return box


def _count(low: int, high: int, tip: str) -> QSpinBox:
    box = QSpinBox()
    box.setRange(low, high)
    box.setToolTip(tip)
    box.lineEdit().setTextMargins(*_TEXT_MARGINS)
    return box


def format_title(record: ModelRecord) -> str:
    """A model's format and type in words."""
    return f"{FORMAT_TITLES[_FORMATS[record.format]]} · {record.quantization}"
