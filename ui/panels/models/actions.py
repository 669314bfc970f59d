"""The buttons at the foot of the detail panel: what can be done with a model, or with an adapter."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from ui.page_list import PAGES
from ui.widgets.card import label
from workbench.library.bases import no_base
from workbench.library.records import ModelRecord
from workbench.model import AdapterFacts

#: Name of an action → what the button says, and what a screen reader does.
_BUTTONS = {
    "rename": ("Rename", "Rename this model"),
    "show": ("Show in folder", "Show the model's files in their folder"),
    "remove": ("Delete", "Delete this model"),
    "chat": ("Chat", "Chat with this model"),
    "finetune": ("Fine-tune", "Fine-tune this model on examples"),
    "optimize": ("Optimize", "Optimize this model"),
    "chat-adapter": ("Chat", "Chat with the base and this adapter"),
    "compare": ("Beside its base", "Ask the base and the adapter the same, side by side"),
    "merge": ("Merge into base", "Merge this adapter into its base"),
    "to-gguf": ("Convert to GGUF", "Convert this adapter for llama.cpp"),
}
_ALWAYS = ("rename", "show", "remove")
_OF_MODEL = ("chat", "finetune", "optimize")
_OF_ADAPTER = (("compare", "chat-adapter"), ("merge", "to-gguf"))
_PRIMARY = ("optimize", "chat-adapter")
#: What can be trained.
_TRAINABLE = ("hf", "mlx")
_TIPS = {
    "merge": "Makes a whole model of both, to quantize, convert or serve",
    "to-gguf": "Makes a file that llama.cpp loads beside a GGUF form of the base",
    "compare": "The same question to the base alone and to the base with the adapter",
}


class ModelActions(QWidget):
    """See the module.

    Signals:
        wanted: A button was pressed; carries the action's name.
    """

    wanted = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._buttons = {name: self._button(name) for name in _BUTTONS}
        self._need = label("", "caption", wrap=True)
        self._need.setProperty("tone", "warn")
        self._need.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(17, 10, 17, 17)
        column.setSpacing(8)
        column.addWidget(self._need)
        for names in (_ALWAYS, _OF_MODEL, *_OF_ADAPTER):
            line = QHBoxLayout()
            line.setSpacing(8)
            for name in names:
                line.addWidget(self._buttons[name], 1)
            column.addLayout(line)

    def button(self, name: str) -> QPushButton:
        return self._buttons[name]

    def offers(self, name: str) -> bool:
        """Whether an action can be wanted of what is shown."""
        meant = [self._buttons[each] for each in (name, f"{name}-adapter") if each in self._buttons]
        return any(button.isEnabled() and not button.isHidden() for button in meant)

    def show_for(
        self,
        record: ModelRecord,
        adapter: AdapterFacts | None,
        *,
        parent: ModelRecord | None,
        base: ModelRecord | None,
        missing: bool,
    ) -> None:
        """Offer what can be done.

        Args:
            adapter: What is known of it as an adapter; None for a model.
            parent: What it was made from.
            base: The model that an adapter would be loaded with.
            missing: Whether its files are gone.
        """
        is_adapter = record.format == "adapter"
        converts = adapter is not None and adapter.container == "peft"
        offered = {
            **dict.fromkeys(_ALWAYS, True),
            "chat": not is_adapter,
            "optimize": not is_adapter,
            "finetune": record.format in _TRAINABLE and any(page.name == "finetune" for page in PAGES),
            "chat-adapter": is_adapter,
            "compare": is_adapter,
            "merge": converts,
            "to-gguf": converts,
        }
        usable = {
            **dict.fromkeys(("show", *_OF_MODEL), not missing),
            **dict.fromkeys(("chat-adapter", "compare"), base is not None and not missing),
            **dict.fromkeys(
                ("merge", "to-gguf"), parent is not None and parent.format == "hf" and not missing
            ),
        }
        for name, button in self._buttons.items():
            button.setVisible(offered[name])
            button.setEnabled(usable.get(name, True))
        lacks = adapter is not None and base is None
        if lacks:
            error = no_base(record, adapter)
            self._need.setText(f"{error.message} {error.remedy}")
        self._need.setVisible(lacks)

    def _button(self, name: str) -> QPushButton:
        text, spoken = _BUTTONS[name]
        button = QPushButton(text, self)
        button.setAccessibleName(spoken)
        button.setToolTip(_TIPS.get(name, ""))
        if name in _PRIMARY:
            button.setProperty("variant", "primary")
        button.clicked.connect(lambda: self.wanted.emit(name.removesuffix("-adapter")))
        return button
