"""The button beside a start that tries many values instead; where that can't be, it says why."""

from __future__ import annotations

from PySide6.QtWidgets import QPushButton, QWidget

from workbench.cluster.sweep_start import missing_ray


class SweepButton(QPushButton):
    """Opens the form of a sweep."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Sweep…", parent)
        self.setAccessibleName("Sweep: try many values")
        self.set_usable(True)

    def set_usable(self, usable: bool) -> None:
        """Whether there is something to sweep; without Ray there is not, and its tooltip says so."""
        missing = missing_ray()
        self.setEnabled(usable and missing is None)
        self.setToolTip(
            str(missing) if missing is not None else "Try many values of parameters and compare what comes"
        )
        self.setAccessibleDescription(self.toolTip())
