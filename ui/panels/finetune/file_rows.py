"""The files of a dataset, one a line: name, size, weight, and a button that takes it out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QHBoxLayout, QLabel, QToolButton, QVBoxLayout, QWidget

from ui import format
from ui.icons import icon, pixmap
from ui.panels.finetune.data_choice import DataFile
from ui.widgets.card import label
from ui.widgets.elided_label import ElidedLabel
from ui.widgets.form_inputs import CalmDoubleSpinBox

_SIGN = 16
_WEIGHT_WIDTH = 84


class FileRows(QWidget):
    """Lines for some files; they are made anew only where the files are others.

    Args:
        weighted: Whether each file has a weight. It shows where there are two or more.

    Signals:
        removed: A file is to be taken out; carries its path.
        weighed: A file got another weight; carries its path and the weight.
    """

    removed = Signal(object)
    weighed = Signal(object, float)

    def __init__(self, *, weighted: bool, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._weighted = weighted
        self.rows: list[FileRow] = []
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(4)

    def show_files(self, files: Sequence[DataFile]) -> None:
        """Show these files and no others."""
        if [row.path for row in self.rows] != [each.path for each in files]:
            self._make_rows(files)
        for row, file in zip(self.rows, files, strict=True):
            row.show_weight(file.weight, visible=self._weighted and len(files) > 1)
        self.setVisible(bool(files))

    def _make_rows(self, files: Sequence[DataFile]) -> None:
        for row in self.rows:
            self._column.removeWidget(row)
            row.hide()
            row.deleteLater()
        self.rows = []
        for file in files:
            row = FileRow(file.path, self)
            row.remove.clicked.connect(lambda _on=False, path=file.path: self.removed.emit(path))
            row.weight.valueChanged.connect(lambda value, path=file.path: self.weighed.emit(path, value))
            self.rows.append(row)
            self._column.addWidget(row)


class FileRow(QWidget):
    """One line."""

    def __init__(self, path: Path, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.path = path
        self._sign = QLabel()
        self._sign.setFixedSize(_SIGN, _SIGN)
        name = ElidedLabel(path.name, Qt.TextElideMode.ElideMiddle)
        name.setProperty("role", "body")
        name.setToolTip(str(path))
        self.weight = CalmDoubleSpinBox()
        self.weight.setRange(0.01, 1000)
        self.weight.setSingleStep(0.5)
        self.weight.setPrefix("× ")
        self.weight.setFixedWidth(_WEIGHT_WIDTH)
        self.weight.setAccessibleName(f"Weight of {path.name}")
        self.weight.setToolTip("How often the rows of this file are shown, against those of the others")
        self.remove = QToolButton()
        self.remove.setAutoRaise(True)
        self.remove.setAccessibleName(f"Take {path.name} out")
        self.remove.setToolTip("Take this file out; it stays on the disk")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(10)
        row.addWidget(self._sign)
        row.addWidget(name, 1)
        row.addWidget(label(_size_text(path), "caption"))
        row.addWidget(self.weight)
        row.addWidget(self.remove)

    def show_weight(self, weight: float, *, visible: bool) -> None:
        self.weight.blockSignals(True)
        self.weight.setValue(weight)
        self.weight.blockSignals(False)
        self.weight.setVisible(visible)

    def showEvent(self, event: object) -> None:
        self._draw()

    def changeEvent(self, event: object) -> None:
        super().changeEvent(event)  # type: ignore[arg-type]
        if event.type() == event.Type.PaletteChange:  # type: ignore[attr-defined]
            self._draw()

    def _draw(self) -> None:
        colour = self.palette().color(QPalette.ColorRole.PlaceholderText).name()
        self._sign.setPixmap(pixmap("file", colour, _SIGN, self.devicePixelRatioF()))
        self.remove.setIcon(icon("close", colour))


def _size_text(path: Path) -> str:
    try:
        return format.bytes(path.stat().st_size)
    except OSError:
        return "not there"
