"""What guesses ahead for a model: a smaller one, the prompt itself, or a drafter that a plugin offers."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget

from ui.panels.chat.rows import refill
from ui.widgets.form_inputs import CalmComboBox
from workbench.catalogue_entry import DrafterEntry
from workbench.engines.drafts import possible_drafts, propose_draft
from workbench.engines.request import DraftOptions
from workbench.home import Home
from workbench.library.records import ModelRecord
from workbench.plugin_home.drafting import draft_of

#: What is offered for every model: title and key.
_ALWAYS = (("None", ""), ("The prompt itself (n-grams)", "ngram"))
#: The key of a plugin's drafter begins so, as on the command line; that of a model is its path.
OF_PLUGIN = "plugin:"


class DraftChoice(CalmComboBox):
    """Keeps what was chosen as long as it is offered.

    Attributes:
        proposed: The model that is proposed as a draft; None where there is none.
    """

    def __init__(self, home: Home, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._home = home
        self._models: list[ModelRecord] = []
        self._drafters: tuple[DrafterEntry, ...] = ()
        self.proposed: ModelRecord | None = None
        self._fill()

    def options(self) -> DraftOptions | None:
        """How guesses are made; None for none."""
        key = str(self.currentData() or "")
        if key == "ngram":
            return DraftOptions(kind="ngram")
        if key.startswith(OF_PLUGIN):
            entry = next(each for each in self._drafters if OF_PLUGIN + each.name == key)
            return draft_of(self._home, entry)
        return DraftOptions(kind="model", path=key) if key else None

    def set_model(self, record: ModelRecord, models: Sequence[ModelRecord]) -> None:
        """Offer models of its kind that are smaller."""
        self.proposed = propose_draft(record, models)
        self._models = possible_drafts(record, models)
        self._fill()

    def set_drafters(self, drafters: Sequence[DrafterEntry]) -> None:
        """Offer what plugins bring."""
        if tuple(drafters) != self._drafters:
            self._drafters = tuple(drafters)
            self._fill()

    def use_proposal(self) -> None:
        """Choose the proposed model, where there is one."""
        if self.proposed is not None:
            self.setCurrentIndex(max(0, self.findData(str(self.proposed.path))))
            self.setFocus()

    def _fill(self) -> None:
        proposed = self.proposed.id if self.proposed is not None else ""
        models = [
            (
                f"{each.name} · {each.quantization}{' (proposed)' if each.id == proposed else ''}",
                str(each.path),
            )
            for each in self._models
        ]
        plugins = [(f"{each.title} (plugin)", OF_PLUGIN + each.name) for each in self._drafters]
        before = self.currentData()
        self.blockSignals(True)
        refill(self, [*_ALWAYS, *models, *plugins])
        self.blockSignals(False)
        for entry in self._drafters:
            at = self.findData(OF_PLUGIN + entry.name)
            tip = f"{entry.summary}\nFrom {entry.source}; answers stay what the model itself says."
            self.setItemData(at, tip, Qt.ItemDataRole.ToolTipRole)
        if before is not None and self.currentData() != before:
            self.currentIndexChanged.emit(self.currentIndex())
