"""LoRA adapters beside the base: which are loaded, and with what weight each answer uses them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QHBoxLayout,
    QMenu,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ui import icons
from ui.panels.chat.rows import number
from ui.theme import Theme
from ui.widgets.elided_label import ElidedLabel
from ui.widgets.form_inputs import CalmDoubleSpinBox
from workbench.engines.request import AdapterOptions, AdapterUse
from workbench.library.bases import base_to_load
from workbench.library.records import ModelRecord


class _Row(QWidget):
    """One adapter: whether answers use it, and its factor."""

    def __init__(self, options: AdapterOptions, *, chosen: bool) -> None:
        super().__init__()
        self.options = options
        self.chosen = chosen
        self.used = QCheckBox()
        self.used.setChecked(True)
        self.used.setToolTip("Whether answers use it")
        self.used.setAccessibleName(f"Use {options.name}")
        name = ElidedLabel(options.name, Qt.TextElideMode.ElideMiddle)
        name.setToolTip(f"{options.name}\n{options.path}")
        self.scale: CalmDoubleSpinBox = number(0, 4, 0.1, "The factor on the adapter’s weight")
        self.scale.setValue(1.0)
        self.scale.setFixedWidth(64)
        self.scale.setAccessibleName(f"Factor of {options.name}")
        self.remove = QToolButton()
        self.remove.setProperty("autoRaise", True)
        self.remove.setToolTip("Take it out")
        self.remove.setAccessibleName(f"Take {options.name} out")
        self.used.toggled.connect(self.scale.setEnabled)
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(6)
        line.addWidget(self.used)
        line.addWidget(name, 1)
        line.addWidget(self.scale)
        line.addWidget(self.remove)
        self.remove.setVisible(not chosen)


class AdaptersForm(QWidget):
    """See the module. Which are used, and how strongly, counts from the next answer on; loading another
    needs the model loaded again.

    Signals:
        edited: Another set is to be loaded.
    """

    edited = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._rows: list[_Row] = []
        self._add = QPushButton("Add an adapter…")
        self._add.setProperty("variant", "quiet")
        self._add.clicked.connect(self._offer)
        self._known: list[ModelRecord] = []
        self._takes_folder = False
        self._list = QVBoxLayout()
        self._list.setSpacing(4)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addLayout(self._list)
        column.addWidget(self._add)
        theme.changed.connect(self._recolour)

    def options(self) -> tuple[AdapterOptions, ...]:
        """What to load beside the base."""
        return tuple(row.options for row in self._rows)

    def uses(self) -> tuple[AdapterUse, ...]:
        """What the next answer uses."""
        return tuple(
            AdapterUse(name=row.options.name, scale=row.scale.value())
            for row in self._rows
            if row.used.isChecked()
        )

    def by_hand(self, record: ModelRecord) -> tuple[AdapterOptions, ...]:
        """What the person added beside whatever is chosen, as far as it goes with a model."""
        if (record.format != "gguf") != self._takes_folder:
            return ()
        return tuple(row.options for row in self._rows if not row.chosen)

    def set_chosen(self, adapter: AdapterOptions | None) -> None:
        """Load and use the adapter that was chosen in place of a model; the one before it goes."""
        rows = [row for row in self._rows if row.chosen]
        if [row.options for row in rows] == ([adapter] if adapter is not None else []):
            return
        for row in rows:
            self._take_out(row, told=False)
        if adapter is not None:
            for row in [each for each in self._rows if each.options.path == adapter.path]:
                self._take_out(row, told=False)
            self._append(adapter, chosen=True)

    def set_model(self, record: ModelRecord, models: Sequence[ModelRecord]) -> None:
        """Offer the library's adapters of this model."""
        self.set_format(record.format)
        self._known = [
            each
            for each in models
            if each.format == "adapter"
            and base_to_load(each, "gguf" if each.path.suffix.lower() == ".gguf" else "peft", models)
            == record
        ]

    def set_format(self, format: str) -> None:
        """llama.cpp takes adapters as a file, the others as a folder. Those of another form are taken out."""
        folder = format != "gguf"
        if folder != self._takes_folder:
            for row in [*self._rows]:
                self._take_out(row)
        self._takes_folder = folder
        self._add.setToolTip(
            "A folder with an adapter of PEFT or mlx-lm" if folder else "An adapter as a GGUF file"
        )

    def add(self, path: Path, title: str = "") -> None:
        """Load an adapter with the model from now on; one that is there already stays once."""
        if any(row.options.path == str(path) for row in self._rows):
            return
        names = {row.options.name for row in self._rows}
        stem = title or (path.stem if path.is_file() else path.name)
        name, number = stem, 2
        while name in names:
            name, number = f"{stem} {number}", number + 1
        self._append(AdapterOptions(name=name, path=str(path)), chosen=False)
        self.edited.emit()

    def _append(self, options: AdapterOptions, *, chosen: bool) -> None:
        row = _Row(options, chosen=chosen)
        row.remove.clicked.connect(lambda: self._take_out(row))
        self._rows.append(row)
        self._list.addWidget(row)
        self._recolour()

    def _offer(self) -> None:
        """The library's adapters of this model first; without any, the disk."""
        loaded = {row.options.path for row in self._rows}
        offered = [each for each in self._known if str(each.path) not in loaded]
        if not offered:
            self._ask()
            return
        menu = QMenu(self)
        for each in offered:
            action = menu.addAction(f"{each.name} · {each.quantization}")
            action.triggered.connect(lambda _on=False, each=each: self.add(each.path, each.name))
        menu.addSeparator()
        menu.addAction("From the disk…").triggered.connect(self._ask)
        menu.exec(self._add.mapToGlobal(self._add.rect().bottomLeft()))

    def _ask(self) -> None:
        if self._takes_folder:
            chosen = QFileDialog.getExistingDirectory(self, "Folder of the adapter")
        else:
            chosen, _ = QFileDialog.getOpenFileName(self, "Adapter", "", "Adapters (*.gguf)")
        if chosen:
            self.add(Path(chosen))

    def _take_out(self, row: _Row, *, told: bool = True) -> None:
        self._rows.remove(row)
        self._list.removeWidget(row)
        row.hide()
        row.deleteLater()
        if told:
            self.edited.emit()

    def _recolour(self) -> None:
        for row in self._rows:
            row.remove.setIcon(icons.icon("close", self._theme.tokens.second))
