"""Will it fit: what a model needs at a chosen context and batch, against what is free here."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPaintEvent
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from ui import format as show
from ui.theme import Theme
from ui.widgets.badge import Badge
from ui.widgets.fact_grid import Fact, FactGrid
from ui.widgets.form_inputs import CalmSpinBox
from ui.widgets.model_words import fit_line, place_line
from workbench.library.fit import FitEstimate, FitPlace
from workbench.model import ModelFacts

#: The facts, context in tokens, sequences at once.
Estimator = Callable[[ModelFacts, int, int], FitEstimate]

_USUAL_CONTEXT = 4096
_LEAST_CONTEXT = 512
#: Offered where a header is silent about the longest context.
_UNKNOWN_CONTEXT = 32768
_MAX_BATCH = 256


class FitsPanel(QWidget):
    """Estimates anew whenever the model, the context, the batch or the free memory changes."""

    def __init__(self, theme: Theme, estimate: Estimator, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._estimate = estimate
        self._facts: ModelFacts | None = None
        self._bars: list[_MemoryBar] = []
        self.context = QComboBox(self)
        self.context.setAccessibleName("Context in tokens")
        self.context.setMinimumContentsLength(5)
        self.context.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.context.currentIndexChanged.connect(self.refresh)
        self.batch = CalmSpinBox(self)
        self.batch.setRange(1, _MAX_BATCH)
        self.batch.setAccessibleName("Sequences at once")
        self.batch.setMinimumWidth(72)
        self.batch.valueChanged.connect(self.refresh)
        self._verdict = Badge("", "neutral", self)
        self._grid = FactGrid(self)
        self._places = QVBoxLayout()
        self._places.setSpacing(8)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(10)
        column.addWidget(self._verdict, 0, Qt.AlignmentFlag.AlignLeft)
        column.addLayout(self._places)
        column.addLayout(self._choices())
        column.addWidget(self._grid)

    def set_model(self, facts: ModelFacts | None) -> None:
        """Show another model; the choice of context is kept where the new model has it."""
        if facts == self._facts:
            self.refresh()
            return
        chosen = self.context.currentData() or _USUAL_CONTEXT
        self._facts = facts
        self.context.blockSignals(True)
        self.context.clear()
        if facts is not None:
            offered = contexts(facts.context_length)
            for length in offered:
                self.context.addItem(show.count(length), length)
            nearest = max((each for each in offered if each <= chosen), default=offered[0])
            self.context.setCurrentIndex(offered.index(nearest))
        self.context.blockSignals(False)
        self.refresh()

    def refresh(self) -> None:
        """Estimate anew with the memory that is free now."""
        if self._facts is None or self.context.currentData() is None:
            return
        estimate = self._estimate(self._facts, self.context.currentData(), self.batch.value())
        text, tone = fit_line(estimate)
        self._verdict.setText(text[:1].upper() + text[1:])
        self._verdict.set_tone(tone)
        self._grid.set_facts(_facts_of(estimate, self._facts))
        self._show_places(estimate)

    def _choices(self) -> QHBoxLayout:
        line = QHBoxLayout()
        line.setSpacing(8)
        context_label = QLabel("Context", self)
        context_label.setProperty("role", "second")
        context_label.setBuddy(self.context)
        batch_label = QLabel("Batch", self)
        batch_label.setProperty("role", "second")
        batch_label.setBuddy(self.batch)
        line.addWidget(context_label)
        line.addWidget(self.context, 1)
        line.addWidget(batch_label)
        line.addWidget(self.batch)
        return line

    def _show_places(self, estimate: FitEstimate) -> None:
        while len(self._bars) < len(estimate.places):
            bar = _MemoryBar(self._theme, self)
            self._bars.append(bar)
            self._places.addWidget(bar)
        for bar, place in zip(self._bars, estimate.places, strict=False):
            bar.show_place(estimate, place)
            bar.show()
        for bar in self._bars[len(estimate.places) :]:
            bar.hide()


def contexts(longest: int | None) -> list[int]:
    """The context lengths worth choosing between: powers of two, and the longest that the model has.

    >>> contexts(3000)
    [512, 1024, 2048, 3000]
    """
    end = longest or _UNKNOWN_CONTEXT
    found = []
    length = _LEAST_CONTEXT
    while length < end:
        found.append(length)
        length *= 2
    return [*found, end]


def error_line(estimate: FitEstimate) -> str:
    """`±6 % over 41 loads`: how far off the estimates for this architecture and engine were."""
    if estimate.error_fraction is None or not estimate.loads:
        return "not measured here yet"
    loads = "1 load" if estimate.loads == 1 else f"{show.count(estimate.loads)} loads"
    return f"±{max(estimate.error_fraction * 100, 1):.0f} % over {loads}"


def _facts_of(estimate: FitEstimate, facts: ModelFacts) -> list[Fact]:
    largest = estimate.largest_context
    if largest is None:
        longest = "none"
    elif facts.context_length and largest >= facts.context_length:
        longest = f"all {show.count(facts.context_length)} tokens"
    else:
        longest = f"{show.count(largest)} tokens"
    return [
        Fact("Weights", show.bytes(estimate.weights_bytes)),
        Fact("KV cache", show.bytes(estimate.kv_bytes)),
        Fact("Working memory", show.bytes(estimate.working_bytes)),
        Fact("Together", show.bytes(estimate.total_bytes)),
        Fact("Accuracy", error_line(estimate)),
        Fact("Largest context that fits", longest),
    ]


class _MemoryBar(QWidget):
    """One memory of this machine: what is taken, what the model would take, what stays free."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self._taken = 0.0
        self._needed = 0.0
        self._fits = True
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 12)
        line = QHBoxLayout()
        self._name = QLabel(self)
        self._name.setProperty("role", "second")
        self._figure = QLabel(self)
        self._figure.setProperty("role", "body")
        self._figure.setAlignment(Qt.AlignmentFlag.AlignRight)
        line.addWidget(self._name)
        line.addWidget(self._figure, 1)
        column.addLayout(line)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self.update)

    def show_place(self, estimate: FitEstimate, place: FitPlace) -> None:
        total = max(place.total_bytes, 1)
        self._taken = min(1.0, max(0.0, 1 - place.free_bytes / total))
        self._needed = min(1.0 - self._taken, estimate.total_bytes / total)
        self._fits = place.fits
        self._name.setText(place.name)
        self._figure.setText(place_line(estimate, place))
        words = "fits" if place.fits else "does not fit"
        self.setAccessibleName(f"{place.name}: {words}, {place_line(estimate, place)}")
        self.setToolTip(
            f"{place.name}: {show.bytes(place.total_bytes)}, of which {show.bytes(place.free_bytes)} are free"
        )
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        tokens = self._theme.tokens
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        track = QRectF(0, self.height() - 8, self.width(), 6)
        shape = QPainterPath()
        shape.addRoundedRect(track, 3, 3)
        painter.setClipPath(shape)
        painter.fillRect(track, QColor(tokens.line))
        taken = QRectF(track)
        taken.setWidth(track.width() * self._taken)
        painter.fillRect(taken, QColor(tokens.faint))
        needed = QRectF(track)
        needed.setLeft(taken.right() + (1 if self._taken else 0))
        needed.setWidth(max(track.width() * self._needed, 3))
        painter.fillRect(needed, QColor(tokens.accent if self._fits else tokens.bad))
