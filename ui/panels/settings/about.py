"""What this Tenfold is made of: versions, machine, licences."""

from __future__ import annotations

import platform
from importlib import metadata

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget

from ui.assets import FONTS
from ui.widgets.card import label
from workbench import __version__

#: What the window is made of, and what does the work, by the name of its package.
_PARTS = (
    ("PySide6-Essentials", "Qt for Python"),
    ("pyqtgraph", "pyqtgraph"),
    ("numpy", "NumPy"),
    ("SQLAlchemy", "SQLAlchemy"),
    ("pydantic", "pydantic"),
    ("huggingface_hub", "huggingface_hub"),
    ("llama-cpp-python", "llama-cpp-python"),
    ("torch", "PyTorch"),
    ("transformers", "transformers"),
    ("mlx-lm", "mlx-lm"),
)


class AboutPanel(QWidget):
    """Reads versions from the installed packages' own records and imports none of them."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        grid = QGridLayout()
        grid.setHorizontalSpacing(24)
        grid.setVerticalSpacing(6)
        grid.setColumnStretch(2, 1)
        self._lines = versions()
        for row, (name, version, licence) in enumerate(self._lines):
            grid.addWidget(label(name, "second"), row, 0)
            grid.addWidget(label(version, "body"), row, 1)
            grid.addWidget(label(licence, "caption"), row, 2)
        self.copy = QPushButton("Copy versions")
        self.copy.clicked.connect(self._copy)
        self.licences = QPushButton("Show licence of the font")
        self.licences.setCheckable(True)
        self._text = QPlainTextEdit()
        self._text.setReadOnly(True)
        self._text.setAccessibleName("Licence of the font Inter")
        self._text.setTabChangesFocus(True)
        self._text.setFixedHeight(220)
        self._text.hide()
        self.licences.toggled.connect(self._show_licence)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self.copy)
        row.addWidget(self.licences)
        row.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        column.addLayout(grid)
        column.addLayout(row)
        column.addWidget(self._text, 0, Qt.AlignmentFlag.AlignTop)

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(
            "\n".join(f"{name} {version}" for name, version, _ in self._lines)
        )

    def _show_licence(self, on: bool) -> None:
        if on and not self._text.toPlainText():
            self._text.setPlainText((FONTS / "OFL.txt").read_text(encoding="utf-8"))
        self._text.setVisible(on)


def versions() -> list[tuple[str, str, str]]:
    """Name, version and licence of Tenfold, Python and the parts that are installed."""
    found = [
        ("Tenfold", __version__, "Apache-2.0"),
        ("Python", platform.python_version(), "PSF-2.0"),
        ("System", f"{platform.system()} {platform.release()} {platform.machine()}", ""),
    ]
    for package, title in _PARTS:
        try:
            record = metadata.metadata(package)
        except metadata.PackageNotFoundError:
            continue
        found.append((title, record["Version"], _licence(record)))
    return [*found, ("Inter (font)", "4.0", "OFL-1.1")]


def _licence(record: metadata.PackageMetadata) -> str:
    """The licence in a few words; some packages put its whole text into the field."""
    stated = record.get("License-Expression") or ""
    if not stated:
        classifiers = record.get_all("Classifier") or []
        stated = ", ".join(
            each.rpartition(" :: ")[2]
            for each in classifiers
            if each.startswith("License :: OSI Approved ::")
        )
    if not stated:
        stated = (record.get("License") or "").strip().splitlines()[0] if record.get("License") else ""
    return stated if len(stated) <= 60 else f"{stated[:57]}…"
