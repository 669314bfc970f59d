"""One thing that a plugin offers beside operations: what it does, and how it is used."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtWidgets import QFrame, QVBoxLayout, QWidget

from ui.panels.plugins.documentation import Documentation
from ui.theme import Theme
from ui.widgets.badge import Badge
from ui.widgets.fact_grid import Fact, FactGrid
from ui.widgets.flow_layout import FlowLayout
from ui.widgets.model_title import WrappedTitle
from workbench.catalogue_entry import DrafterEntry, MetricEntry, ReaderEntry, TrainingEntry

#: What can be shown; each has a name, a title and a documentation.
Entry = DrafterEntry | MetricEntry | ReaderEntry | TrainingEntry


class OfferedCard(QFrame):
    """See the module.

    Args:
        kind: What it is, in a word or two.
        facts: What a person should know to use it.
    """

    def __init__(
        self, theme: Theme, entry: Entry, kind: str, facts: Sequence[Fact], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setProperty("card", "true")
        self.entry = entry
        title = WrappedTitle(pixels=15, lines=2, parent=self)
        title.set_text(entry.title)
        badges = QWidget(self)
        FlowLayout(badges, spacing=6).addWidget(Badge(kind, "accent", badges))
        grid = FactGrid(self)
        grid.set_facts([Fact("Name", entry.name), *facts])
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 16, 20, 16)
        column.setSpacing(10)
        column.addWidget(title)
        column.addWidget(badges)
        column.addWidget(Documentation(theme, entry.title, entry.documentation, self))
        column.addWidget(grid)


def drafter_card(theme: Theme, entry: DrafterEntry, parent: QWidget) -> OfferedCard:
    """A way to guess ahead."""
    use = Fact("Use", f"--draft plugin:{entry.name}, with tenfold chat and serve")
    return OfferedCard(theme, entry, "speculative decoding", [use], parent)


def metric_card(theme: Theme, entry: MetricEntry, parent: QWidget) -> OfferedCard:
    """A figure that a proof can hold."""
    facts = [Fact("Unit", entry.unit)] if entry.unit else []
    if entry.better != "neither":
        facts.append(Fact("Better", entry.better))
    use = Fact("Use", f"with Measure on the Optimize page, or tenfold prove MODEL --metric {entry.name}")
    return OfferedCard(theme, entry, "metric", [*facts, use], parent)


def reader_card(theme: Theme, entry: ReaderEntry, parent: QWidget) -> OfferedCard:
    """A kind of file that can be read."""
    reads = Fact("Reads", ", ".join(f"*{each}" for each in entry.suffixes))
    use = Fact("Use", "wherever examples or a text are chosen")
    return OfferedCard(theme, entry, "data reader", [reads, use], parent)


def training_card(theme: Theme, entry: TrainingEntry, parent: QWidget) -> OfferedCard:
    """A loss to learn with."""
    learns = Fact("Learns", "preferences, with DPO" if entry.pairs else "answers")
    options = ", ".join(each.name for each in entry.fields)
    facts = [learns, *([Fact("Options", options)] if options else [])]
    use = Fact("Use", f"on the Fine-tune page, or tenfold run finetune-torch --set loss={entry.name}")
    return OfferedCard(theme, entry, "training method", [*facts, use], parent)
