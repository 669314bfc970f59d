"""What the Fine-tune page shows while there is nothing to train, or nothing was trained."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QPushButton

from ui.widgets.empty_state import EmptyState


def no_model(open_page: Callable[[str, object], None]) -> EmptyState:
    """No model at all."""
    return EmptyState(
        "finetune",
        "No model to teach yet",
        "Add a model first: a safetensors folder, one from the hub, or the included sample.",
        [_primary("Add a model", lambda: open_page("models", None))],
    )


def no_trainable_model(open_page: Callable[[str, object], None]) -> EmptyState:
    """Models, but none that can be trained."""
    return EmptyState(
        "finetune",
        "No model here can be trained",
        "The numbers in a GGUF file are rounded for speed. Convert one to safetensors, or add a "
        "safetensors folder, and it can be taught.",
        [_primary("Convert to safetensors", lambda: open_page("optimize", (None, "gguf-dequantize")))],
    )


def no_run() -> EmptyState:
    """No run is shown."""
    return EmptyState(
        "finetune",
        "Nothing is trained yet",
        "Choose examples, and start. The loss, the speed and the model’s answers appear here while it "
        "learns; earlier runs stand on the left.",
    )


def _primary(text: str, call: Callable[[], None]) -> QPushButton:
    button = QPushButton(text)
    button.setProperty("variant", "primary")
    button.clicked.connect(lambda _on=False: call())
    return button
