"""What a page or a plot offers by key; of a page also in the palette and on the shortcuts sheet."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QWidget


def add_action(widget: QWidget, text: str, keys: str, call: Callable[[], object]) -> QAction:
    """Add an action behind those that the widget has.

    Args:
        keys: In Qt's portable form, several separated by `;`; empty for none. They count while the focus is
            in the widget.
    """
    action = QAction(text, widget)
    if keys:
        action.setShortcuts(QKeySequence.listFromString(keys))
    action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
    action.triggered.connect(lambda _on=False: call())
    widget.addAction(action)
    return action
