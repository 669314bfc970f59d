"""Environments that jobs run in: what each holds, its size, and the ways to make it or to be rid of it."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from ui import format as show
from ui.widgets.elided_label import ElidedLabel
from workbench.environments.environment import Environment, key_of

Wanted = tuple[tuple[str, ...], Environment | None]


class EnvironmentRows(QWidget):
    """One row for each set of requirements.

    Signals:
        make_wanted: Requirements for which there is no environment yet.
        stop_wanted: The one that is being made is not wanted any more.
        remove_wanted: The key of an environment.
    """

    make_wanted = Signal(tuple)
    stop_wanted = Signal()
    remove_wanted = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(10)
        self._states: dict[str, ElidedLabel] = {}
        self.buttons: list[QPushButton] = []

    def show_environments(self, wanted: Sequence[Wanted], *, making: str = "") -> None:
        """Show, for each set of requirements, the environment that holds it, or that there is none yet.

        Args:
            making: The key of the one that is being made now.
        """
        while (item := self._column.takeAt(0)) is not None:
            row = item.widget()
            if row is not None:
                row.hide()
                row.setParent(None)
                row.deleteLater()
        self._states, self.buttons = {}, []
        for requirements, made in wanted:
            self._column.addWidget(self._row(requirements, made, making))

    def tell(self, key: str, text: str) -> None:
        """What the installer says of the one that is being made."""
        if key in self._states:
            self._states[key].setText(text)

    def _row(self, requirements: tuple[str, ...], made: Environment | None, making: str) -> QWidget:
        key = made.key if made is not None else key_of(requirements)
        named = ", ".join(requirements)
        row = QWidget(self)
        name = ElidedLabel(named, Qt.TextElideMode.ElideRight, row)
        name.setProperty("role", "body")
        state = ElidedLabel(_state(made, making == key), Qt.TextElideMode.ElideRight, row)
        state.setProperty("role", "caption")
        if made is not None:
            since = show.date(made.made_at)
            state.setToolTip(
                f"For Python {made.python_version}, Tenfold {made.tenfold_version}. Made {since}."
            )
        self._states[key] = state
        button = QPushButton(row)
        if made is not None:
            button.setText("Remove")
            button.setAccessibleName(f"Remove the environment with {named}")
            button.setToolTip("The next job that needs it makes it anew")
            button.clicked.connect(lambda: self.remove_wanted.emit(key))
        elif making == key:
            button.setText("Stop")
            button.setAccessibleName(f"Stop making the environment with {named}")
            button.clicked.connect(self.stop_wanted)
        else:
            button.setText("Make now")
            button.setAccessibleName(f"Download and make the environment with {named}")
            button.setToolTip("Downloads what it requires; otherwise its first job does")
            button.setEnabled(not making)
            button.clicked.connect(lambda: self.make_wanted.emit(requirements))
        self.buttons.append(button)
        column = QVBoxLayout()
        column.setSpacing(2)
        column.addWidget(name)
        column.addWidget(state)
        line = QHBoxLayout(row)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(12)
        line.addLayout(column, 1)
        line.addWidget(button, 0, Qt.AlignmentFlag.AlignVCenter)
        return row


def _state(made: Environment | None, is_making: bool) -> str:
    if made is not None:
        return f"{show.bytes(made.size_bytes)} · {', '.join(made.packages)}"
    return "Preparing …" if is_making else "Not made yet"
