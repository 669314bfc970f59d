"""Where the parts of the Fine-tune page stand: what is taught, the steps, the plan."""

from __future__ import annotations

from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from ui.panels.finetune.plan import PlanCard
from ui.panels.finetune.step_bar import StepBar
from ui.panels.finetune.teach_card import TeachCard

_LEFT_WIDTH, _RIGHT_WIDTH, _BOTH_WIDTH = 244, 284, 236
#: In a frame narrower than this the plan stands below what is taught, so that the steps keep their room.
_NARROW = 980


class FinetuneFrame(QWidget):
    """One panel for each step; the last one, the training, has the plan's place too."""

    def __init__(self, teach: TeachCard, steps: StepBar, panels: tuple[QWidget, ...], plan: PlanCard) -> None:
        super().__init__()
        self._teach, self._plan = teach, plan
        self._panels = QStackedWidget()
        for panel in panels:
            self._panels.addWidget(panel)
        self._narrow: bool | None = None
        self._left = QVBoxLayout()
        self._left.setSpacing(12)
        self._left.addWidget(teach, 2)
        self._lower = QHBoxLayout()
        self._lower.setSpacing(12)
        self._lower.addWidget(self._panels, 1)
        middle = QVBoxLayout()
        middle.setSpacing(12)
        middle.addWidget(steps)
        middle.addLayout(self._lower, 1)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(12)
        row.addLayout(self._left)
        row.addLayout(middle, 1)
        steps.chosen.connect(self.show_step)
        self._arrange(narrow=False)

    def show_step(self, place: int) -> None:
        """Show the panel of a step."""
        self._panels.setCurrentIndex(place)
        self._plan.setVisible(place < self._panels.count() - 1)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange(narrow=self.width() < _NARROW)

    def _arrange(self, *, narrow: bool) -> None:
        if narrow == self._narrow:
            return
        self._narrow = narrow
        self._teach.setFixedWidth(_BOTH_WIDTH if narrow else _LEFT_WIDTH)
        self._plan.setFixedWidth(_BOTH_WIDTH if narrow else _RIGHT_WIDTH)
        if narrow:
            self._left.addWidget(self._plan, 3)
        else:
            self._lower.addWidget(self._plan)
