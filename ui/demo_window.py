"""The window of the demonstration, and what it prints."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QTimer

from ui import format
from ui.app import make_application
from ui.context import AppContext
from ui.pages.chat import ChatPage
from ui.panels.finetune.outcome import outcome_in
from ui.theme import Theme
from ui.window import MainWindow
from workbench.demo import TEACHES, Demo
from workbench.errors import WorkbenchError
from workbench.home import Home
from workbench.jobs.records import JobRecord
from workbench.jobs.runner import is_resting
from workbench.library.records import ModelRecord
from workbench.measure.verdict import p_text
from workbench.session import Session

_STEP_MS = 150
#: So much of a job is done when its picture is taken: of a training, late enough for its curve to be seen.
_PICTURE_AT, _TRAINING_PICTURE_AT = 0.3, 0.8
#: So many steps has the page of a finished training to show what was proved.
_SETTLE_STEPS = 5
#: What the demonstration asks the model that it made, and how long the answer may become.
_QUESTION = (
    "Repeat this text and end every sentence with an exclamation mark: A language model reads numbers from"
    " memory for every word that it says. Smaller numbers are read faster. So a model with fewer bits answers"
    " sooner, and what it loses in quality has to be measured."
)
_ANSWER_TOKENS = 120


def run(home: Path, pictures: Path, *, stay_open: bool) -> int:
    """Show the window while the jobs run; with `stay_open` it stays until the person closes it."""
    app = make_application()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    theme = Theme()
    theme.apply(app)
    with Session.open(Home(home), supervise=True) as session:
        window = MainWindow(AppContext(session, theme))
        window.resize(1280, 800)
        window.open_page("jobs")
        window.show()
        window.start()
        show = _Show(window, Demo(session), pictures, stay_open)
        app.exec()
        window.pulse.stop()
        code = show.finish()
        window.deleteLater()
    if not stay_open:
        from ui.screenshots import take_all

        take_all(app, theme, Home(home), pictures)
        _say("\nPictures:")
        for picture in sorted(pictures.glob("*.png")):
            _say(f"  {picture}")
    return code


class _Show:
    """Drives the demonstration from the window's own loop."""

    def __init__(self, window: MainWindow, demo: Demo, pictures: Path, stay_open: bool) -> None:
        self._window = window
        self._demo = demo
        self._pictures = pictures
        self._stay_open = stay_open
        self._told = False
        self._chat: ChatPage | None = None
        self._compares = False
        self._seen: dict[str, str] = {}
        self._pictured: set[str] = set()
        self._settling = 0
        self._timer = QTimer(window)
        self._timer.setInterval(_STEP_MS)
        self._timer.timeout.connect(self._step)
        self._timer.start()
        _say(
            "The sample model becomes safetensors, an F16 reference and two quantizations, which are measured"
            " against the reference. Then it learns the codes of an imaginary shop's desks."
        )

    def _step(self) -> None:
        try:
            self._demo.step()
            self._follow()
        except WorkbenchError as error:
            _say(str(error))
            self._leave()
            return
        runner = self._window.context.session.runner
        if not self._demo.done or (runner is not None and runner.running):
            return
        if self._settling:
            self._settling -= 1
            if not self._settling:
                self._picture("trained")
        elif self._chat is None and self._demo.failure is None:
            self._chat = self._begin_talk()
        elif self._chat is not None and self._chat.rests and not self._compares:
            self._compares = True
            self._chat.show_live()
            self._chat.compare()
        elif self._chat is None or self._chat.rests:
            self._timer.stop()
            self._end_talk()
            self.finish()
            if not self._stay_open:
                self._leave()

    def _begin_talk(self) -> ChatPage:
        """Ask the reference something whose answer stands in the question, so that guessing pays."""
        page = self._window.open_page("chat", self._demo.reference_id)
        if not isinstance(page, ChatPage):
            raise TypeError("The page named chat is another one.")
        page.settings.form.longest.setValue(_ANSWER_TOKENS)
        page.settings.form.choose("Greedy")
        page.settings.loading.draft.setCurrentIndex(page.settings.loading.draft.findData("ngram"))
        page.send(_QUESTION)
        _say("\nThe reference is asked something, and guesses ahead from the prompt:")
        return page

    def _end_talk(self) -> None:
        if self._chat is None:
            return
        said = self._chat.transcript.views
        _say(f"  {said[-1].text.strip() if said else 'no answer'}")
        _say(f"  {said[-1].figures_text}" if said else "")
        _say(f"  {self._chat.live.guessing.result}")
        self._picture("chat-answered")
        self._window.open_page("compare")
        if not self._stay_open:
            self._chat.close_engines()

    def _leave(self) -> None:
        """End without the question that a person is asked who closes the window over running jobs."""
        self._timer.stop()
        QCoreApplication.quit()

    def _follow(self) -> None:
        """Print each job as it starts and ends, and keep a picture of the window while one is at work."""
        for job in reversed(self._window.context.session.board.list(limit=10)):
            if job.state == "running" and job.progress_total:
                self._picture_work(job)
            if self._seen.get(job.id) == job.state:
                continue
            self._seen[job.id] = job.state
            self._open(job)
            if is_resting(job.state) or job.state == "running":
                _say(f"  {job.state:8} {job.title}")

    def _open(self, job: JobRecord) -> None:
        """Show a job that has just begun, and a training's result."""
        if job.operation != TEACHES:
            if job.state == "running":
                self._window.open_page("jobs", job.id)
        elif job.state in ("running", "done"):
            self._window.open_page("finetune", ("run", job.id))
            self._settling = _SETTLE_STEPS if job.state == "done" else 0

    def _picture_work(self, job: JobRecord) -> None:
        is_training = job.operation == TEACHES
        if is_training and job.progress_unit != "steps":
            return
        least = _TRAINING_PICTURE_AT if is_training else _PICTURE_AT
        if job.id not in self._pictured and job.progress_done >= least * job.progress_total:
            self._pictured.add(job.id)
            self._picture("while-training" if is_training else "while-running")

    def _picture(self, name: str) -> None:
        if not self._stay_open:
            self._window.grab().save(str(self._pictures / f"{name}.png"))

    def finish(self) -> int:
        """Print the table once; 1 where a job failed or the window was closed before the end."""
        failure = self._demo.failure
        if not self._told:
            self._told = True
            _say("\n" + table(self._demo))
            if self._demo.adapter is not None:
                _say("\n" + learned(self._demo.adapter))
            if failure is not None:
                _say(f"\n{failure.title}: {failure.error_message} {failure.error_remedy}")
            elif not self._demo.done:
                _say("\nThe window was closed before the demonstration ended.")
        return 0 if self._demo.done and failure is None else 1


def table(demo: Demo) -> str:
    """The models with their sizes, and what was measured of them against the F16 reference."""
    head = f"{'MODEL':34}{'TYPE':10}{'SIZE':>10}{'BITS/WEIGHT':>13}{'OF F16':>9}{'TOOK':>9}  PROOF"
    lines = [head]
    for row in demo.rows():
        share = f"{row.share_of_reference:.0%}" if row.share_of_reference is not None else ""
        took = f"{row.seconds:.1f} s" if row.seconds is not None else ""
        proof = row.card.headline if row.card is not None else ""
        lines.append(
            f"{row.name:34}{row.quantization:10}{format.bytes(row.size_bytes):>10}"
            f"{row.bits_per_weight:>13.2f}{share:>9}{took:>9}  {proof}".rstrip()
        )
    return "\n".join(lines)


def learned(adapter: ModelRecord) -> str:
    """What a fine-tuning brought and cost, from the proof beside its result."""
    found = outcome_in(adapter.path)
    lines = [f"{adapter.name} ({format.bytes(adapter.size_bytes)}):"]
    if found.held_out is not None:
        lines.append(f"  held-out loss       {found.held_out.before:.3f} → {found.held_out.after:.3f}")
    if (task := found.task) is not None:
        chance = f" ({p_text(task.p)})" if task.p is not None else ""
        before, after = (round(share * task.items) for share in (task.before, task.after))
        lines.append(f"  right codes         {before} → {after} of {task.items} messages{chance}")
    if (cost := found.forgetting) is not None:
        lines.append(f"  KL on other text    {cost.mean_kld:.3f} nats")
        if cost.accuracy_before is not None and cost.accuracy_after is not None and cost.items is not None:
            shares = (cost.accuracy_before, cost.accuracy_after)
            before, after = (round(share * cost.items) for share in shares)
            lines.append(f"  other questions     {before} → {after} of {cost.items} right")
    return "\n".join(lines)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
