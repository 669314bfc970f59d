"""One way to guess ahead that a plugin offers: what it does, and how it is used."""

from __future__ import annotations

from PySide6.QtWidgets import QFrame, QVBoxLayout, QWidget

from ui.panels.plugins.documentation import Documentation
from ui.theme import Theme
from ui.widgets.badge import Badge
from ui.widgets.fact_grid import Fact, FactGrid
from ui.widgets.flow_layout import FlowLayout
from ui.widgets.model_title import WrappedTitle
from workbench.catalogue_entry import DrafterEntry


class DrafterCard(QFrame):
    """See the module."""

    def __init__(self, theme: Theme, entry: DrafterEntry, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("card", "true")
        self.entry = entry
        title = WrappedTitle(pixels=15, lines=2, parent=self)
        title.set_text(entry.title)
        badges = QWidget(self)
        flow = FlowLayout(badges, spacing=6)
        flow.addWidget(Badge("speculative decoding", "accent", badges))
        facts = FactGrid(self)
        facts.set_facts(
            [
                Fact("Name", entry.name),
                Fact("Use", f"--draft plugin:{entry.name}, with tenfold chat and serve"),
            ]
        )
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 16, 20, 16)
        column.setSpacing(10)
        column.addWidget(title)
        column.addWidget(badges)
        column.addWidget(Documentation(theme, entry.title, entry.documentation, self))
        column.addWidget(facts)
