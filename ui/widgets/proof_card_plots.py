"""The small plots of a proof card, each under what it shows; those without figures are not there."""

from __future__ import annotations

from PySide6.QtWidgets import QVBoxLayout, QWidget

from ui.theme import PLOT_COLOURS, Theme
from ui.widgets.card import label
from ui.widgets.proof_card_picture import CardPicture, Maker
from workbench.measure.card import Card
from workbench.measure.card_plots import decode_by_batch, divergence_histogram, gap_histogram, memory_bars

_HEIGHT, _LOW = 116, 96


class CardPlots(QWidget):
    """Where it differs, how fast it decodes, how evenly its tokens come, what it takes."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        self.decode = _Part(theme, "Decode speed, tok/s by answers at once", _HEIGHT, self)
        self.distance = _Part(theme, "Where it differs, KL per token", _LOW, self)
        self.gaps = _Part(theme, "Time between two tokens", _LOW, self)
        self.memory = _Part(theme, "Memory at its peak; the stroke ends the weights", 48, self)
        model, reference = PLOT_COLOURS[1], PLOT_COLOURS[0]
        self._legend = label(
            f'<span style="color:{model}">■</span> this model &nbsp; '
            f'<span style="color:{reference}">●</span> what it was compared with',
            "caption",
            self,
        )
        for part in (self.decode, self._legend, self.distance, self.gaps, self.memory):
            column.addWidget(part)

    def show_card(self, card: Card) -> None:
        """Plot what there is."""
        speed, before = card.speed, card.reference_speed
        memory, memory_before, quality = card.memory, card.reference_memory, card.quality
        has_decode = self.decode.show_plot(
            (lambda width, height: decode_by_batch(speed, before, width, height))
            if speed is not None
            else None
        )
        self._legend.setVisible(has_decode and before is not None)
        self.distance.show_plot(
            (lambda width, height: divergence_histogram(quality.histogram, width, height))
            if quality is not None
            else None
        )
        self.gaps.show_plot(
            (lambda width, height: gap_histogram(speed, width, height)) if speed is not None else None
        )
        self.memory.show_plot(
            (lambda width, _height: memory_bars(memory, memory_before, width)) if memory is not None else None
        )


class _Part(QWidget):
    """A plot under its caption."""

    def __init__(self, theme: Theme, title: str, height: int, parent: QWidget) -> None:
        super().__init__(parent)
        self.picture = CardPicture(theme, title, height, self)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 4, 0, 0)
        column.setSpacing(4)
        column.addWidget(label(title, "caption", self))
        column.addWidget(self.picture)

    def show_plot(self, make: Maker | None) -> bool:
        """Show another plot; the whole part is hidden where there is none."""
        shown = make is not None and self.picture.show_picture(make)
        self.setVisible(shown)
        return shown
