"""How the next token is chosen, and the presets that set it all at once."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QInputDialog, QLineEdit, QMenu, QToolButton, QVBoxLayout, QWidget

from ui import icons
from ui.panels.chat.rows import add_row, count, narrow_form, number
from ui.theme import Theme
from ui.widgets.form_inputs import CalmComboBox
from workbench.chat.presets import BUILT_IN, Preset, Presets
from workbench.engines.request import Overflow, Sampling
from workbench.errors import WorkbenchError

_OWN = "My own"


class SamplingForm(QWidget):
    """See the module.

    Signals:
        system_wanted: A preset with a system prompt was chosen; carries the prompt.
        presets_changed: One was kept or deleted.
        failed: Carries a `WorkbenchError`.
    """

    system_wanted = Signal(str)
    presets_changed = Signal()
    failed = Signal(object)

    def __init__(self, theme: Theme, presets: Presets, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._presets = presets
        self._system = ""
        self.preset = CalmComboBox()
        self.preset.activated.connect(self._take)
        self._more = QToolButton()
        self._more.setProperty("autoRaise", True)
        self._more.setToolTip("Keep or delete presets")
        self._more.setAccessibleName("Keep or delete presets")
        self._more.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(self._more)
        menu.addAction("Keep these settings as a preset…", self.ask_and_keep)
        self._forget = menu.addAction("Delete this preset", self.forget)
        menu.aboutToShow.connect(self._show_menu_state)
        self._more.setMenu(menu)
        self.temperature = number(0, 5, 0.05, "Divides the logits; 0 takes the likeliest token every time")
        self.top_k = count(0, 1000, "Only this many of the likeliest tokens; 0 for all")
        self.top_p = number(0.01, 1, 0.01, "Only the likeliest tokens that together have this probability")
        self.min_p = number(0, 1, 0.01, "Only tokens with this share of the likeliest one’s probability")
        self.penalty = number(0.5, 2, 0.01, "Above 1 makes what was said lately less likely")
        self.seed = QLineEdit()
        self.seed.setPlaceholderText("Random")
        self.seed.setToolTip("The same seed gives the same text")
        self.longest = count(0, 100_000, "The longest answer in tokens; else what the context leaves")
        self.longest.setSpecialValueText("No limit")
        self.stop = QLineEdit()
        self.stop.setPlaceholderText("None; parted by |")
        self._overflow = CalmComboBox()
        self._overflow.addItems(["Stop there", "Drop the oldest"])
        self._build()
        self.reload()
        self.take(BUILT_IN[0])
        for box in (self.temperature, self.top_p, self.min_p, self.penalty, self.top_k):
            box.valueChanged.connect(self._name_preset)
        theme.changed.connect(self._recolour)
        self._recolour()

    def sampling(self) -> Sampling:
        """What is chosen for the next answer."""
        seed = self.seed.text().strip()
        return Sampling(
            temperature=self.temperature.value(),
            top_k=self.top_k.value(),
            top_p=max(0.01, self.top_p.value()),
            min_p=self.min_p.value(),
            repetition_penalty=self.penalty.value(),
            seed=int(seed) if seed.isdigit() else None,
            max_tokens=self.longest.value() or None,
            stop=tuple(part for part in self.stop.text().split("|") if part),
        )

    def overflow(self) -> Overflow:
        """What happens when the context is full."""
        return "shift" if self._overflow.currentIndex() == 1 else "error"

    def note_system(self, text: str) -> None:
        """The system prompt beside this form, kept with a preset."""
        self._system = text

    def take(self, preset: Preset) -> None:
        """Set everything as a preset says; a seed stays."""
        found = preset.sampling
        self.temperature.setValue(found.temperature)
        self.top_k.setValue(found.top_k)
        self.top_p.setValue(found.top_p)
        self.min_p.setValue(found.min_p)
        self.penalty.setValue(found.repetition_penalty)
        if found.max_tokens is not None:
            self.longest.setValue(found.max_tokens)
        if found.stop:
            self.stop.setText("|".join(found.stop))
        if preset.system is not None:
            self.system_wanted.emit(preset.system)
        self.preset.setCurrentText(preset.name)

    def choose(self, name: str) -> None:
        """Choose a preset by its name; one that is not there changes nothing."""
        self._take(self.preset.findText(name))

    def reload(self) -> None:
        """Read the presets anew."""
        chosen = self.preset.currentText()
        self.preset.clear()
        self.preset.addItems([*(each.name for each in self._presets.all()), _OWN])
        self.preset.setCurrentText(chosen)

    def keep(self, name: str) -> None:
        """Keep the settings as they are under a name."""
        try:
            self._presets.keep(Preset(name=name, sampling=self.sampling(), system=self._system or None))
        except WorkbenchError as error:
            self.failed.emit(error)
            return
        self.reload()
        self.preset.setCurrentText(name.strip())
        self.presets_changed.emit()

    def ask_and_keep(self) -> None:
        """Ask for a name, and keep the settings under it."""
        name, agreed = QInputDialog.getText(
            self, "Keep a preset", "Name of the preset (sampling and system prompt are kept)"
        )
        if agreed and name.strip():
            self.keep(name)

    def forget(self) -> None:
        """Delete the chosen preset; the settings stay as they are."""
        self._presets.forget(self.preset.currentText())
        self.reload()
        self._name_preset()
        self.presets_changed.emit()

    def _take(self, index: int) -> None:
        name = self.preset.itemText(index)
        found = next((each for each in self._presets.all() if each.name == name), None)
        if found is not None:
            self.take(found)

    def _name_preset(self) -> None:
        now = self._shape(self.sampling())
        fitting = [each.name for each in self._presets.all() if self._shape(each.sampling) == now]
        if self.preset.currentText() not in fitting:
            self.preset.setCurrentText(fitting[0] if fitting else _OWN)

    @staticmethod
    def _shape(sampling: Sampling) -> tuple[float, ...]:
        return (
            sampling.temperature,
            sampling.top_k,
            sampling.top_p,
            sampling.min_p,
            sampling.repetition_penalty,
        )

    def _show_menu_state(self) -> None:
        own = {each.name for each in self._presets.own()}
        self._forget.setEnabled(self.preset.currentText() in own)

    def _build(self) -> None:
        chosen = QWidget()
        line = QHBoxLayout(chosen)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(2)
        self.preset.setAccessibleName("Preset")
        self.preset.setMinimumWidth(60)
        line.addWidget(self.preset, 1)
        line.addWidget(self._more)
        form = narrow_form()
        for name, field in (
            ("Preset", chosen),
            ("Temperature", self.temperature),
            ("Top-k", self.top_k),
            ("Top-p", self.top_p),
            ("Min-p", self.min_p),
            ("Repetition", self.penalty),
            ("Seed", self.seed),
            ("Longest", self.longest),
            ("Stop texts", self.stop),
            ("Full context", self._overflow),
        ):
            add_row(form, name, field)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(form)

    def _recolour(self) -> None:
        self._more.setIcon(icons.icon("more", self._theme.tokens.second))
