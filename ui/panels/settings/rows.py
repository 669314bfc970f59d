"""One line of the settings: what is set, what that means, and the control at the right."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from ui.widgets.card import label


class SettingRow(QWidget):
    """Names the control for screen readers by its title and its help."""

    def __init__(self, title: str, help: str, control: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        name = label(title, "body")
        name.setBuddy(control)
        words = label(help, "caption", wrap=True)
        control.setAccessibleName(title)
        control.setAccessibleDescription(help)
        control.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        column = QVBoxLayout()
        column.setSpacing(2)
        column.addWidget(name)
        column.addWidget(words)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 2, 0, 2)
        row.setSpacing(24)
        row.addLayout(column, 1)
        row.addWidget(control, 0, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
