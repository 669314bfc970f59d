"""The rail at the left: the name, the pages, and Settings at its foot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QButtonGroup, QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from ui.icons import icon
from ui.theme import Theme
from ui.widgets.badge import Badge

WIDTH = 177


@dataclass(frozen=True, slots=True)
class RailEntry:
    """One page on the rail."""

    name: str
    title: str
    icon: str
    shortcut: str
    at_foot: bool = False


class Rail(QFrame):
    """Signals:
    wanted: A page was clicked; carries its name.
    """

    wanted = Signal(str)

    def __init__(self, theme: Theme, entries: Sequence[RailEntry], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("rail")
        self.setFixedWidth(WIDTH)
        self._theme = theme
        self.buttons: dict[str, _RailButton] = {}
        self._name = QLabel()
        self._name.setTextFormat(Qt.TextFormat.RichText)
        self._name.setAccessibleName("Tenfold")
        group = QButtonGroup(self)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 16, 12, 16)
        column.setSpacing(4)
        column.addWidget(self._name)
        column.addSpacing(10)
        for entry in (each for each in entries if not each.at_foot):
            column.addWidget(self._button(entry, group))
        column.addStretch(1)
        for entry in (each for each in entries if each.at_foot):
            column.addWidget(self._button(entry, group))
        theme.changed.connect(self._dress)
        self._dress()

    def choose(self, name: str) -> None:
        """Mark the page that is shown."""
        self.buttons[name].setChecked(True)

    def set_count(self, name: str, count: int) -> None:
        """How many things a page has at work; 0 for none."""
        self.buttons[name].set_count(count)

    def _button(self, entry: RailEntry, group: QButtonGroup) -> QPushButton:
        button = _RailButton(self._theme, entry, self)
        button.clicked.connect(lambda _on=False: self.wanted.emit(entry.name))
        group.addButton(button)
        self.buttons[entry.name] = button
        return button

    def _dress(self) -> None:
        tokens = self._theme.tokens
        self._name.setText(
            f'<span style="font-size:18px;font-weight:600;color:{tokens.text}">&nbsp;tenfold</span>'
            f'<span style="font-size:18px;font-weight:600;color:{tokens.accent}"> ×10</span>'
        )
        for button in self.buttons.values():
            button.dress()


class _RailButton(QPushButton):
    def __init__(self, theme: Theme, entry: RailEntry, parent: QWidget) -> None:
        super().__init__(f"  {entry.title}", parent)
        self._theme = theme
        self._entry = entry
        self.setCheckable(True)
        # A click goes to the page, and the keyboard with it; Tab still comes by here.
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setProperty("rail", "true")
        self.setIconSize(QSize(18, 18))
        self.setAccessibleName(entry.title)
        self.setToolTip(f"{entry.title} ({entry.shortcut})")
        self._count = Badge("", "accent", self)
        self._count.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 8, 0)
        row.addStretch(1)
        row.addWidget(self._count)
        self.toggled.connect(lambda _on: self.dress())

    def set_count(self, count: int) -> None:
        self._count.setText(str(count) if count else "")
        self.setAccessibleName(f"{self._entry.title}, {count} at work" if count else self._entry.title)

    def dress(self) -> None:
        tokens = self._theme.tokens
        self.setIcon(icon(self._entry.icon, tokens.accent if self.isChecked() else tokens.second))
