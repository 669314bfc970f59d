"""LoRA adapters beside the base: which are loaded, and with what weight each answer uses them."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QHBoxLayout,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ui import icons
from ui.panels.chat.rows import number
from ui.theme import Theme
from ui.widgets.form_inputs import CalmDoubleSpinBox
from workbench.engines.request import AdapterOptions, AdapterUse


class _Row(QWidget):
    """One adapter: whether answers use it, and its factor."""

    def __init__(self, options: AdapterOptions) -> None:
        super().__init__()
        self.options = options
        self.used = QCheckBox(options.name)
        self.used.setChecked(True)
        self.used.setToolTip(options.path)
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
        line.addWidget(self.used, 1)
        line.addWidget(self.scale)
        line.addWidget(self.remove)


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
        self._add.clicked.connect(self._ask)
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

    def add(self, path: Path) -> None:
        """Load an adapter with the model from now on; one that is there already stays once."""
        if any(row.options.path == str(path) for row in self._rows):
            return
        names = {row.options.name for row in self._rows}
        name, number = path.stem if path.is_file() else path.name, 2
        while name in names:
            name, number = f"{path.stem} {number}", number + 1
        row = _Row(AdapterOptions(name=name, path=str(path)))
        row.remove.clicked.connect(lambda: self._take_out(row))
        self._rows.append(row)
        self._list.addWidget(row)
        self._recolour()
        self.edited.emit()

    def _ask(self) -> None:
        if self._takes_folder:
            chosen = QFileDialog.getExistingDirectory(self, "Folder of the adapter")
        else:
            chosen, _ = QFileDialog.getOpenFileName(self, "Adapter", "", "Adapters (*.gguf)")
        if chosen:
            self.add(Path(chosen))

    def _take_out(self, row: _Row) -> None:
        self._rows.remove(row)
        self._list.removeWidget(row)
        row.hide()
        row.deleteLater()
        self.edited.emit()

    def _recolour(self) -> None:
        for row in self._rows:
            row.remove.setIcon(icons.icon("close", self._theme.tokens.second))
