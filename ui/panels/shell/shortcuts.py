"""The sheet that lists every key: those of the window and those of the page that is shown."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QPushButton, QScrollArea, QVBoxLayout, QWidget

from ui.widgets.card import label
from ui.widgets.overlay import Overlay

#: Keys that Qt's own views and plots know in every page.
_EVERYWHERE = (
    ("Next part, part before", "Tab, Shift+Tab"),
    ("Close what is open", "Esc"),
)


class ShortcutsSheet(Overlay):
    """Made anew each time it opens."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, width=560)
        self.setAccessibleName("Keyboard shortcuts")
        self.close_button = QPushButton("Close")
        self.close_button.clicked.connect(self.close_sheet)
        head = QHBoxLayout()
        head.addWidget(label("Keyboard shortcuts", "section"))
        head.addStretch(1)
        head.addWidget(self.close_button)
        self._scroll = QScrollArea()
        self._scroll.setWidgetResizable(True)
        self._scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        column = QVBoxLayout(self.sheet)
        column.setContentsMargins(20, 16, 20, 16)
        column.setSpacing(12)
        column.addLayout(head)
        column.addWidget(self._scroll)

    def open_with(self, window: Sequence[QAction], page_title: str, page: Sequence[QAction]) -> None:
        """Show the keys of the window's actions and of the page's."""
        body = QWidget()
        grid = QGridLayout(body)
        grid.setContentsMargins(0, 0, 12, 0)
        grid.setVerticalSpacing(8)
        grid.setColumnStretch(0, 1)
        self._section(grid, "Everywhere", [*_pairs(window), *_EVERYWHERE])
        self._section(grid, page_title, _pairs(page))
        self._scroll.setWidget(body)
        room = max(self.parentWidget().height() - 240, 200)
        self._scroll.setFixedHeight(min(body.sizeHint().height() + 4, room))
        self.open()
        self.close_button.setFocus(Qt.FocusReason.PopupFocusReason)

    def texts(self) -> list[str]:
        """Every line that is shown, as a screen reader says it."""
        body = self._scroll.widget()
        names = [each.accessibleName() for each in body.findChildren(QLabel)] if body is not None else []
        return [each for each in names if each]

    def _section(self, grid: QGridLayout, title: str, pairs: Sequence[tuple[str, str]]) -> None:
        if not pairs:
            return
        heading = label(title, "caption")
        heading.setContentsMargins(0, 6, 0, 0)
        grid.addWidget(heading, grid.rowCount(), 0, 1, 2)
        for text, keys in pairs:
            row = grid.rowCount()
            words = label(text, "body")
            shown = label(keys, "body")
            shown.setProperty("badge", "neutral")
            shown.setAccessibleName(f"{text}: {keys}")
            grid.addWidget(words, row, 0)
            grid.addWidget(shown, row, 1, Qt.AlignmentFlag.AlignRight)


def keys_of(action: QAction) -> str:
    """The first shortcut of an action as the system writes it; empty where it has none."""
    found = action.shortcuts()
    return found[0].toString(QKeySequence.SequenceFormat.NativeText) if found else ""


def _pairs(actions: Sequence[QAction]) -> list[tuple[str, str]]:
    return [(action.text(), keys) for action in actions if (keys := keys_of(action))]
