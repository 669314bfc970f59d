"""The head of a run: what it is, how it stands, and the buttons that pause, go on or end it."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QHBoxLayout, QMenu, QPushButton, QToolButton, QWidget

from ui.panels.finetune.planning import METHODS
from ui.widgets.badge import Badge
from ui.widgets.elided_label import ElidedLabel
from ui.widgets.job_words import TONES, state_word
from workbench.jobs.records import JobRecord
from workbench.jobs.spec import JobSpec

#: What can be asked of a run: title and tooltip.
_ASKED = {
    "resume": ("Resume", "Go on exactly where it was"),
    "again": ("Change and train again", "Take over the data and the settings of this run"),
    "pause": ("Pause", "Keep what was learned, give the memory back, and go on later"),
    "cancel": ("Stop", "End the run for good; Pause keeps it"),
}
_BUTTONS: dict[str, tuple[str, ...]] = {
    "queued": ("pause", "cancel"),
    "running": ("pause", "cancel"),
    "paused": ("resume", "cancel"),
    "interrupted": ("resume", "again"),
    "failed": ("resume", "again"),
    "done": ("again",),
    "cancelled": ("again",),
}
_MENU = {
    "export": "Export as script…",
    "job": "Show in Jobs",
    "folder": "Show folder",
}


class RunHead(QWidget):
    """One line.

    Signals:
        wanted: What a person asks of the run: a key of the tables above.
    """

    wanted = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        self._title = ElidedLabel("")
        self._title.setProperty("role", "section")
        self._state = Badge("", "neutral", self)
        self._method = Badge("", "accent", self)
        row.addWidget(self._title, 1)
        row.addWidget(self._state)
        row.addWidget(self._method)
        row.addSpacing(6)
        self.buttons: dict[str, QPushButton] = {}
        for name, (title, tip) in _ASKED.items():
            button = QPushButton(title)
            button.setToolTip(tip)
            button.setAccessibleDescription(tip)
            button.clicked.connect(lambda _on=False, name=name: self.wanted.emit(name))
            self.buttons[name] = button
            row.addWidget(button)
        menu = QMenu(self)
        self.actions_by_name: dict[str, QAction] = {}
        for name, title in _MENU.items():
            action = menu.addAction(title)
            action.triggered.connect(lambda _on=False, name=name: self.wanted.emit(name))
            self.actions_by_name[name] = action
        more = QToolButton()
        more.setText("⋯")
        more.setAccessibleName("More actions for this run")
        more.setToolTip("More actions")
        more.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        more.setMenu(menu)
        row.addWidget(more)

    def show_job(self, job: JobRecord, spec: JobSpec | None) -> None:
        """Show how a run stands."""
        self._title.setText(spec.output_name if spec is not None else job.title)
        self._title.setToolTip(job.title)
        asked = job.state == "running" and bool(job.reason)
        self._state.setText(job.reason.rstrip(".").lower() if asked else state_word(job.state))
        self._state.set_tone(TONES[job.state])
        self._method.setText(_method(spec))
        shown = _BUTTONS[job.state]
        resumable = spec is not None and spec.resumable
        for name, button in self.buttons.items():
            wanted = name in shown and (name != "resume" or resumable or job.state == "paused")
            button.setVisible(wanted)
            button.setEnabled(not asked)


def _method(spec: JobSpec | None) -> str:
    """`LoRA r 16`, `full`; empty where the operation has no methods."""
    if spec is None or "method" not in spec.params:
        return ""
    method = str(spec.params["method"])
    title = METHODS.get(method, method)
    return title if method == "full" else f"{title} r{spec.params.get('rank', '')}"
