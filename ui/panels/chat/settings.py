"""How answers are made: the system prompt, sampling, how the model is loaded, and its adapters."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QPlainTextEdit, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from ui.panels.chat.adapters import AdaptersForm
from ui.panels.chat.loading_form import LoadingForm
from ui.panels.chat.sampling_form import SamplingForm
from ui.theme import Theme
from ui.widgets.card import label
from workbench.chat.presets import Presets
from workbench.engines.request import AdapterOptions, AdapterUse, LoadOptions, Overflow, Sampling
from workbench.home import Home
from workbench.library.records import ModelRecord


class ChatSettings(QScrollArea):
    """See the module.

    Args:
        home: Where computed prompts are kept, and plugins lie.

    Signals:
        system_changed: The person is done changing the system prompt.
        loading_changed: Another way of loading is asked for.
        presets_changed: A preset was kept or deleted.
        failed: Carries a `WorkbenchError`.
    """

    system_changed = Signal(str)
    loading_changed = Signal()
    presets_changed = Signal()
    failed = Signal(object)

    def __init__(self, theme: Theme, presets: Presets, home: Home, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWidgetResizable(True)
        self.setAccessibleName("Settings of the conversation")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.form = SamplingForm(theme, presets)
        self.loading = LoadingForm(home)
        self.adapters = AdaptersForm(theme)
        self._column = QVBoxLayout()
        inside = QWidget()
        inside.setLayout(self._column)
        self.setWidget(inside)
        self._column.setContentsMargins(0, 8, 14, 8)
        self._column.setSpacing(8)
        self._build_system()
        for title, part in (
            ("Sampling", self.form),
            ("Loading", self.loading),
            ("Adapters", self.adapters),
        ):
            self._column.addSpacing(8)
            self._column.addWidget(label(title, "section"))
            self._column.addWidget(part)
        self._column.addStretch(1)
        self.form.system_wanted.connect(self._take_system)
        self.form.presets_changed.connect(self.presets_changed)
        self.form.failed.connect(self.failed)
        self.loading.edited.connect(self.loading_changed)
        self.adapters.edited.connect(self.loading_changed)

    def sampling(self) -> Sampling:
        """What is chosen for the next answer."""
        return self.form.sampling()

    def overflow(self) -> Overflow:
        """What happens when the context is full."""
        return self.form.overflow()

    def adapter_uses(self) -> tuple[AdapterUse, ...]:
        """Which adapters the next answer uses."""
        return self.adapters.uses()

    def load_options(
        self,
        record: ModelRecord,
        *,
        parallel: int = 1,
        adapters: tuple[AdapterOptions, ...] | None = None,
    ) -> LoadOptions:
        """How the model is to be loaded, with the adapters of these settings unless others are given."""
        beside = self.adapters.options() if adapters is None else adapters
        return self.loading.options(record, parallel=parallel, adapters=beside)

    def system(self) -> str:
        """The system prompt."""
        return self._system.toPlainText().strip()

    def set_system(self, text: str) -> None:
        """Show a conversation's system prompt."""
        if text != self._system.toPlainText():
            self._system.setPlainText(text)

    def set_model(self, record: ModelRecord, models: Sequence[ModelRecord]) -> None:
        """Offer what suits this model."""
        self.adapters.set_model(record, models)
        self.loading.set_model(record, models)

    def _build_system(self) -> None:
        self._column.addWidget(label("System prompt", "section"))
        self._system = QPlainTextEdit()
        self._system.setPlaceholderText("The model’s own")
        self._system.setAccessibleName("System prompt")
        self._system.setObjectName("system-prompt")
        self._system.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._system.setMaximumHeight(84)
        self._system.setTabChangesFocus(True)
        self._system.textChanged.connect(self._system_edited)
        self._column.addWidget(self._system)

    def _system_edited(self) -> None:
        self.form.note_system(self.system())
        self.system_changed.emit(self.system())

    def _take_system(self, text: str) -> None:
        self.set_system(text)
