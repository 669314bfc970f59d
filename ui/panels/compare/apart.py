"""Says which of the chosen models can't be compared with the others, why, and offers what helps."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from ui.models.compare_variants import Apart, Comparison
from ui.widgets.message import MessageBar

#: More names than these are counted.
_NAMED = 3


class ApartBar(QWidget):
    """A warning with two buttons.

    Signals:
        measure_wanted: The ids of the models that are to be measured anew, and of the model that they are
            to be compared with (None for what they were made from).
        shown_wanted: The models that can be compared with the one with this id are wanted instead.
    """

    measure_wanted = Signal(list, object)
    shown_wanted = Signal(str)

    def __init__(self, apart: Apart, comparison: Comparison, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.apart = apart
        reference = comparison.reference if apart.other_reference else None
        against = reference.model_id if reference is not None else None
        names, others = listed(apart.names), len(comparison.variants)
        self.message = MessageBar(
            "warn",
            f"{names} can’t be compared with the other {others} and {_verb(apart)} left out.",
            " ".join(apart.reasons),
            parent=self,
        )
        self.again = QPushButton("Measure again", self)
        self.again.setAccessibleName(f"Measure {names} again, as the others were")
        self.again.setToolTip("Measure as the others were measured, on this machine")
        if reference is not None and against is not None:
            self.again.setText(f"Measure against {reference.label}")
            self.again.setAccessibleName(f"Measure {names} against {reference.name}")
            self.again.setToolTip(f"Compare with {reference.name}, as the others were")
        self.again.setVisible(not apart.other_reference or against is not None)
        self.instead = QPushButton("Show instead" if len(apart.names) == 1 else "Show these instead")
        self.instead.setAccessibleName(f"Show {names} instead of the others")
        buttons = QVBoxLayout()
        buttons.setSpacing(6)
        buttons.addWidget(self.again)
        buttons.addWidget(self.instead)
        buttons.addStretch(1)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(10)
        row.addWidget(self.message, 1)
        row.addLayout(buttons)
        self.again.clicked.connect(lambda: self.measure_wanted.emit(list(apart.model_ids), against))
        self.instead.clicked.connect(lambda: self.shown_wanted.emit(apart.model_ids[0]))


def listed(names: tuple[str, ...]) -> str:
    """Names as a sentence lists them; from the fourth on they are counted.

    >>> listed(("A", "B", "C")), listed(("A", "B", "C", "D", "E"))
    ('A, B and C', 'A, B and 3 more')
    """
    if len(names) > _NAMED:
        return f"{', '.join(names[: _NAMED - 1])} and {len(names) - _NAMED + 1} more"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _verb(apart: Apart) -> str:
    return "is" if len(apart.names) == 1 else "are"
