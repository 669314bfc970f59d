"""Finds out, in idle moments, whether the models on screen fit here and are still there."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from PySide6.QtCore import QObject, QTimer, Signal

from workbench.errors import WorkbenchError
from workbench.library.fit import FitEstimate
from workbench.library.records import ModelRecord
from workbench.model import ModelFacts

#: How long one idle moment may take: half of a frame at 60 Hz.
_SLICE_S = 0.008
#: What the column of the list assumes; the panel lets the person choose.
LIST_CONTEXT = 4096


class ModelLive(QObject):
    """Answers at once with what it knows; looks up the rest between frames, newest question first.

    Signals:
        changed: More is known of the model with this id.
    """

    changed = Signal(str)

    def __init__(
        self,
        facts: Callable[[str], ModelFacts],
        estimate: Callable[[ModelFacts, int], FitEstimate],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._facts = facts
        self._estimate = estimate
        self._fits: dict[str, FitEstimate | None] = {}
        self._missing: dict[str, bool] = {}
        self._known: set[str] = set()
        self._asked: deque[ModelRecord] = deque()
        self._waiting: set[str] = set()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(0)
        self._timer.timeout.connect(self._work)

    def fit(self, record: ModelRecord) -> FitEstimate | None:
        """The estimate at 4,096 tokens of context (or all that the model has), or None until it is known."""
        self._ask(record)
        return self._fits.get(record.id)

    def missing(self, record: ModelRecord) -> bool:
        """Whether the model's files were gone when they were last looked for."""
        self._ask(record)
        return self._missing.get(record.id, False)

    def forget(self) -> None:
        """Look everything up anew when it is next asked for; until then the old answers stand."""
        self._waiting.clear()
        self._asked.clear()
        self._known.clear()

    def _ask(self, record: ModelRecord) -> None:
        if record.id in self._waiting or record.id in self._known:
            return
        self._waiting.add(record.id)
        self._asked.append(record)
        if not self._timer.isActive():
            self._timer.start()

    def _work(self) -> None:
        until = time.perf_counter() + _SLICE_S
        while self._asked and time.perf_counter() < until:
            # What was asked last is what is on screen now.
            record = self._asked.pop()
            self._waiting.discard(record.id)
            self._look_up(record)
        if self._asked:
            self._timer.start()

    def _look_up(self, record: ModelRecord) -> None:
        missing = not record.path.exists()
        # An adapter is loaded beside its base, and needs next to nothing of its own.
        fit = None if missing or record.format == "adapter" else self._fit_of(record)
        self._known.add(record.id)
        if (missing, fit) != (self._missing.get(record.id), self._fits.get(record.id)):
            self._missing[record.id] = missing
            self._fits[record.id] = fit
            self.changed.emit(record.id)

    def _fit_of(self, record: ModelRecord) -> FitEstimate | None:
        try:
            facts = self._facts(record.id)
        except WorkbenchError:
            # Removed by another process a moment ago; the list is about to say so.
            return None
        return self._estimate(facts, min(LIST_CONTEXT, facts.context_length or LIST_CONTEXT))
