"""One limit of “Pick for me”: whether it is set, and how much."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QWidget

from ui.widgets.form_inputs import CalmDoubleSpinBox

_WIDTH = 116


class LimitRow(QWidget):
    """A check box with what is limited, and the limit beside it.

    Signals:
        changed: It was set, let go, or is another now.
    """

    changed = Signal()

    def __init__(self, title: str, unit: str, value: float, most: float, step: float, tip: str) -> None:
        super().__init__()
        self.check = QCheckBox(title)
        self.check.setToolTip(tip)
        self.check.setAccessibleDescription(tip)
        self.box = CalmDoubleSpinBox()
        self.box.setRange(0.0, most)
        self.box.setSingleStep(step)
        self.box.setValue(value)
        self.box.setSuffix(f"\u202f{unit}" if unit else "")
        self.box.setFixedWidth(_WIDTH)
        self.box.setEnabled(False)
        self.box.setAccessibleName(f"{title} {unit}".strip())
        self.box.setToolTip(tip)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(self.check, 1)
        row.addWidget(self.box)
        self.check.toggled.connect(self.box.setEnabled)
        self.check.toggled.connect(lambda _on: self.changed.emit())
        self.box.valueChanged.connect(lambda _value: self.changed.emit())

    def limit(self) -> float | None:
        """The limit in the row's unit; None where it is not set."""
        return self.box.value() if self.check.isChecked() else None

    def set_limit(self, value: float | None) -> None:
        """Set the limit, or let it go."""
        if value is not None:
            self.box.setValue(value)
        self.check.setChecked(value is not None)
