"""What happens to running jobs when the window is closed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from enum import Enum

from PySide6.QtCore import QTimer
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import QDialog, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from ui.widgets.card import label
from workbench.cluster.sweep_file import all_sweeps
from workbench.cluster.sweep_start import ask_to_stop as ask_sweep_to_stop
from workbench.errors import WorkbenchError
from workbench.jobs.records import JobRecord
from workbench.session import Session

_LISTED = 5
_POLL_MS = 100


class QuitChoice(Enum):
    """What a person answered."""

    KEEP = "keep"
    STOP = "stop"
    STAY = "stay"


class QuitDialog(QDialog):
    """Asks what becomes of the jobs that run; what the preferences say is the answer that Enter gives."""

    def __init__(self, jobs: Sequence[JobRecord], *, keep: bool, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.choice = QuitChoice.STAY
        one = len(jobs) == 1
        self.setWindowTitle("Quit Tenfold")
        self.setMinimumWidth(440)
        titles = "\n".join(f"•  {job.title}" for job in jobs[:_LISTED])
        if len(jobs) > _LISTED:
            titles += f"\n•  and {len(jobs) - _LISTED} more"
        self.buttons = {
            QuitChoice.KEEP: QPushButton("Keep running"),
            QuitChoice.STOP: QPushButton("Stop" if one else "Stop them"),
            QuitChoice.STAY: QPushButton("Don’t quit"),
        }
        for choice, button in self.buttons.items():
            button.setAutoDefault(False)
            button.clicked.connect(lambda _on=False, choice=choice: self._choose(choice))
        wanted = self.buttons[QuitChoice.KEEP if keep else QuitChoice.STOP]
        wanted.setProperty("variant", "primary")
        wanted.setDefault(True)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self.buttons[QuitChoice.STAY])
        row.addStretch(1)
        row.addWidget(self.buttons[QuitChoice.STOP])
        row.addWidget(self.buttons[QuitChoice.KEEP])
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 20, 24, 20)
        column.setSpacing(12)
        column.addWidget(label("A job is running" if one else f"{len(jobs)} jobs are running", "section"))
        column.addWidget(label(titles, "body", wrap=True))
        it = "it" if one else "they"
        column.addWidget(
            label(
                f"Kept running, {it} go{'es' if one else ''} on without the window, and the next start "
                "finds what became of the work. Stopped, what can be paused is paused and goes on later; "
                "the rest is cancelled.",
                "second",
                wrap=True,
            )
        )
        column.addSpacing(4)
        column.addLayout(row)
        wanted.setFocus()

    def _choose(self, choice: QuitChoice) -> None:
        self.choice = choice
        if choice is QuitChoice.STAY:
            self.reject()
        else:
            self.accept()


class StoppingDialog(QDialog):
    """Waits until the workers have let go of their memory, which asking alone makes sure of.

    Accepted when none is left; rejected when the person does not want to wait any longer.
    """

    def __init__(
        self, running: Callable[[], Sequence[str]], poll: Callable[[], object], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Stopping jobs")
        self.setMinimumWidth(380)
        self._running = running
        self._poll = poll
        self._began = time.monotonic()
        self._words = label("", "second", wrap=True)
        leave = QPushButton("Quit now")
        leave.setToolTip("The workers end by themselves; the next start finds what became of them")
        leave.clicked.connect(self.reject)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(leave)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 20, 24, 20)
        column.setSpacing(12)
        column.addWidget(label("Stopping jobs", "section"))
        column.addWidget(self._words)
        column.addLayout(row)
        self._timer = QTimer(self)
        self._timer.setInterval(_POLL_MS)
        self._timer.timeout.connect(self._look)
        self._timer.start()
        self._look()

    def done(self, result: int) -> None:
        self._timer.stop()
        super().done(result)

    def closeEvent(self, event: QCloseEvent) -> None:
        self._timer.stop()
        super().closeEvent(event)

    def _look(self) -> None:
        self._poll()
        left = len(self._running())
        seconds = time.monotonic() - self._began
        jobs = "One job gives" if left == 1 else f"{left} jobs give"
        self._words.setText(f"{jobs} back memory and write{'s' if left == 1 else ''} what is worth keeping.")
        if not left:
            # Not from inside the constructor: exec() must have begun.
            QTimer.singleShot(0, self, self.accept)
            self._timer.stop()
        elif seconds > 20:
            self._words.setText(self._words.text() + " It takes longer than usual.")


def ask_to_stop(session: Session, job_ids: Sequence[str]) -> list[WorkbenchError]:
    """Ask running jobs to pause where they can and to end where they can't; start no other ones.

    Sweeps at work are asked first, since they would submit further ones.
    """
    troubles: list[WorkbenchError] = []
    for sweep in all_sweeps(session.home):
        try:
            if sweep.state == "running" and sweep.is_at_work():
                ask_sweep_to_stop(sweep)
        except WorkbenchError as error:
            troubles.append(error)
    if session.runner is not None:
        session.runner.only = ()
    for job_id in job_ids:
        try:
            if session.board.spec(job_id).resumable:
                session.board.pause(job_id)
            else:
                session.board.cancel(job_id)
        except WorkbenchError as error:
            # It ended in this very moment, or the database fails: the others are asked all the same.
            troubles.append(error)
    return troubles
