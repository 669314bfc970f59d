"""The part of a sweep's form that says how many trials there are, and how many work at the same time."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QGridLayout, QWidget

from ui.widgets.card import label
from ui.widgets.form_inputs import INT_LIMIT, CalmComboBox, CalmSpinBox

#: Trials that are drawn unless a person says otherwise: enough to see a trend by.
_DRAWN = 20
_MOST_PARALLEL = 64


class Amounts(QWidget):
    """All combinations, or so many drawn by chance.

    Args:
        parallel: Trials at the same time, to begin with.
        most: Trials of one sweep.

    Signals:
        edited: Something about it changed.
    """

    edited = Signal()

    def __init__(self, parallel: int, most: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.choice = CalmComboBox(self)
        self.choice.addItem("All combinations", False)
        self.choice.addItem("Drawn by chance", True)
        self.samples = _spin(1, most, _DRAWN, self)
        self.seed = _spin(0, INT_LIMIT - 1, 0, self)
        self.seed.setToolTip("The same seed draws the same trials")
        self.parallel = _spin(1, _MOST_PARALLEL, parallel, self)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(4)
        parts = (
            ("Trials", self.choice, 6),
            ("How many", self.samples, 2),
            ("Seed", self.seed, 2),
            ("At the same time", self.parallel, 2),
        )
        for column, (title, widget, stretch) in enumerate(parts):
            widget.setAccessibleName(title)
            caption = label(title, "caption", self)
            caption.setBuddy(widget)
            grid.addWidget(caption, 0, column)
            grid.addWidget(widget, 1, column)
            grid.setColumnStretch(column, stretch)
        self._follow()
        self.choice.currentIndexChanged.connect(self._follow)
        for spin in (self.samples, self.seed, self.parallel):
            spin.valueChanged.connect(lambda _value: self.edited.emit())

    @property
    def drawn(self) -> int:
        """Trials that are drawn by chance; 0 for all combinations."""
        return self.samples.value() if self.choice.currentData() else 0

    def set_draws(self, draws: bool) -> None:
        """Leave no choice where a range varies, which has no end of values."""
        if draws and not self.choice.currentData():
            self.choice.blockSignals(True)
            self.choice.setCurrentIndex(1)
            self.choice.blockSignals(False)
            self._enable()
        self.choice.setEnabled(not draws)
        self.choice.setToolTip("A range has no end of values, so some are drawn" if draws else "")

    def _follow(self) -> None:
        self._enable()
        self.edited.emit()

    def _enable(self) -> None:
        for widget in (self.samples, self.seed):
            widget.setEnabled(bool(self.choice.currentData()))


def _spin(low: int, high: int, value: int, parent: QWidget) -> CalmSpinBox:
    made = CalmSpinBox(parent)
    made.setRange(low, high)
    made.setValue(value)
    return made
