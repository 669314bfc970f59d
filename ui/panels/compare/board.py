"""The charts and the table of the Compare page, one above the other, speaking of the same models."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QPushButton, QScrollArea, QVBoxLayout, QWidget

from ui.models.compare_steps import Cards
from ui.models.compare_table import CompareTable
from ui.models.compare_variants import Comparison
from ui.panels.compare.apart import ApartBar
from ui.panels.compare.batch_chart import BatchChart
from ui.panels.compare.chart import Chart
from ui.panels.compare.export import ENDINGS, save
from ui.panels.compare.figures_table import FiguresTable
from ui.panels.compare.latency_chart import LatencyChart
from ui.panels.compare.memory_chart import MemoryChart
from ui.panels.compare.quality_chart import SizeChart, SpeedChart
from ui.panels.compare.steps_chart import StepsChart
from ui.panels.compare.style import marker_picture, style_of
from ui.panels.compare.table_drawing import TableDrawing
from ui.theme import Theme
from ui.widgets.card import Card, label

_GAP = 12
#: Below this width the charts stand in one column.
_TWO_COLUMNS = 640
_MARKER = 16


class CompareBoard(QScrollArea):
    """What a person points at in one chart is brought out in all.

    Signals:
        failed: Something could not be saved; carries a `WorkbenchError`.
        saved: A file was written; carries its path.
        copied: So many rows are on the clipboard.
        measure_wanted: The ids of models that are to be measured anew, and of what to compare them with.
        shown_wanted: The models that can be compared with the one with this id are wanted instead.
    """

    failed = Signal(object)
    saved = Signal(object)
    copied = Signal(int)
    measure_wanted = Signal(list, object)
    shown_wanted = Signal(str)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._comparison = Comparison()
        self._picked: int | None = None
        self.apart: list[ApartBar] = []
        self.steps = StepsChart(theme)
        self.by_size, self.by_speed = SizeChart(theme), SpeedChart(theme)
        self.batches, self.memory, self.latency = BatchChart(theme), MemoryChart(theme), LatencyChart(theme)
        self.charts: tuple[Chart, ...] = (
            self.steps,
            self.by_size,
            self.by_speed,
            self.batches,
            self.memory,
            self.latency,
        )
        self.figures = CompareTable(self)
        self.table = FiguresTable(self.figures)
        self._columns = 0
        self._build()
        for chart in self.charts:
            chart.highlighted.connect(self._highlight)
            chart.failed.connect(self.failed)
            chart.saved.connect(self.saved)
        self.table.highlighted.connect(self._highlight)
        self.table.copied.connect(self.copied)
        theme.changed.connect(self._show_table)

    def show_comparison(self, comparison: Comparison, cards: Cards) -> None:
        """Show these models.

        Args:
            cards: All that are known, by the hash of their model: the way to a model may begin outside.
        """
        self._comparison = comparison
        self._show_apart()
        self.steps.set_cards(cards)
        for chart in self.charts:
            chart.show_comparison(comparison)
        self._show_table()
        self._show_steps()

    def set_picked(self, place: object, *, ringed: bool) -> None:
        """Show the way to the model that was picked, and ring it where that was asked for."""
        self._picked = place if isinstance(place, int) else None
        for chart in (self.by_size, self.by_speed):
            chart.set_picked(self._picked if ringed else None)
        self._show_steps()

    def save_all(self, folder: Path) -> list[Path]:
        """Save every chart that shows anything, and the table, each as PNG, SVG and CSV; return the files.

        Raises:
            WorkbenchError: One can't be written.
        """
        made = []
        for chart in self.charts:
            if chart.has_anything():
                made += [folder / f"{chart.file_stem}.{ending}" for ending in ENDINGS]
                for path in made[-len(ENDINGS) :]:
                    save(chart, path, self._theme.tokens)
        made += [folder / f"all-figures.{ending}" for ending in ENDINGS]
        for path in made[-len(ENDINGS) :]:
            self.save_table(path)
        return made

    def save_table(self, path: Path) -> None:
        """Save the table as what the file's ending says.

        Raises:
            WorkbenchError: The file can't be written.
        """
        save(TableDrawing(self.figures, self._comparison), path, self._theme.tokens)

    def focused_chart(self) -> Chart | None:
        """The chart that the keyboard is on."""
        return next((chart for chart in self.charts if chart.hasFocus()), None)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange(2 if self.viewport().width() >= _TWO_COLUMNS else 1)

    # ------------------------------------------------------------------ parts

    def _highlight(self, place: object) -> None:
        found = place if isinstance(place, int) else None
        for chart in self.charts:
            chart.highlight(found)
        if self.sender() is not self.table:
            self.table.show_place(found)

    def _show_steps(self) -> None:
        """The way to what was picked; else to the fastest model."""
        target = self._picked
        if target is None or target >= len(self._comparison.variants):
            speeds = [
                (each.decode.tokens_per_s if each.decode is not None else 0.0, place)
                for place, each in enumerate(self._comparison.variants)
            ]
            target = max(speeds)[1] if speeds else None
        self.steps.show_way_to(target)
        self.steps.setVisible(self.steps.has_anything())

    def _show_table(self) -> None:
        tokens, ratio = self._theme.tokens, self.devicePixelRatioF()
        variants = self._comparison.variants
        pictures = [
            marker_picture(
                style_of(place, is_reference=each.is_reference, tokens=tokens), tokens.card, _MARKER, ratio
            )
            for place, each in enumerate(variants)
        ]
        self.figures.show_comparison(self._comparison, pictures.__getitem__)

    def _show_apart(self) -> None:
        for bar in self.apart:
            self._bars.removeWidget(bar)
            bar.deleteLater()
        self.apart = []
        for each in self._comparison.apart:
            bar = ApartBar(each, self._comparison, self.widget())
            bar.measure_wanted.connect(self.measure_wanted)
            bar.shown_wanted.connect(self.shown_wanted)
            self._bars.addWidget(bar)
            self.apart.append(bar)

    def _build(self) -> None:
        self.setWidgetResizable(True)
        self.setFrameShape(QScrollArea.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(0, 0, 8, 0)
        column.setSpacing(_GAP)
        self._bars = QVBoxLayout()
        self._bars.setSpacing(8)
        self._grid = QGridLayout()
        self._grid.setSpacing(_GAP)
        column.addLayout(self._bars)
        column.addWidget(self.steps)
        column.addLayout(self._grid)
        column.addWidget(self._build_table())
        column.addStretch(1)
        self.setWidget(inner)
        self._arrange(2)

    def _build_table(self) -> QWidget:
        card = Card()
        card.column.setContentsMargins(18, 12, 10, 10)
        card.column.setSpacing(6)
        copy = QPushButton("Copy")
        copy.setAccessibleName("Copy the table")
        copy.setToolTip("Copy the chosen rows, or all, for a spreadsheet (Ctrl+C in the table)")
        copy.clicked.connect(self.table.copy)
        head = QHBoxLayout()
        head.setContentsMargins(0, 0, 8, 0)
        head.addWidget(label("All figures", "section"))
        head.addStretch(1)
        head.addWidget(copy)
        card.column.addLayout(head)
        card.column.addWidget(self.table)
        return card

    def _arrange(self, columns: int) -> None:
        if columns == self._columns:
            return
        self._columns = columns
        pairs = (self.by_size, self.by_speed, self.batches, self.memory)
        for place, chart in enumerate(pairs):
            self._grid.addWidget(chart, place // columns, place % columns)
        self._grid.addWidget(self.latency, len(pairs) // columns, 0, 1, columns)
        for place in range(2):
            self._grid.setColumnStretch(place, 1 if place < columns else 0)
