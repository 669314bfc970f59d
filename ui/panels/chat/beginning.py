"""What stands where there is no conversation yet: something to ask, and the way to a first model."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QPushButton

from ui.widgets.empty_state import EmptyState

_SUGGESTIONS = (
    ("Explain", "Explain what quantizing a model does, in three sentences."),
    ("Code", "Write a Python function that checks whether a word is a palindrome."),
    ("Ideas", "Give me five names for a bakery by the sea."),
)


def beginning(suggest: Callable[[str], None]) -> EmptyState:
    """Offers questions; `suggest` takes the one that a person chooses."""
    buttons = []
    for title, text in _SUGGESTIONS:
        button = QPushButton(title)
        button.setToolTip(text)
        button.setAccessibleName(text)
        button.clicked.connect(lambda _on=False, text=text: suggest(text))
        buttons.append(button)
    return EmptyState(
        "chat",
        "Begin a conversation",
        "Write below; the chosen model is loaded when you send. Everything stays on this machine.",
        buttons,
    )


def no_models(go_to_models: Callable[[], None]) -> EmptyState:
    """Leads to the Models page."""
    models = QPushButton("Go to Models")
    models.setProperty("variant", "primary")
    models.clicked.connect(lambda _on=False: go_to_models())
    return EmptyState(
        "chat",
        "No model to talk to yet",
        "Add one on the Models page: the sample model, a file of yours, or one from the hub.",
        [models],
    )
