"""One conversation with one loaded model: sends turns, keeps what comes back."""

from __future__ import annotations

import msgspec
from PySide6.QtCore import QObject, Signal

from ui.engine_process import EngineProcess
from workbench.chat.conversations import Conversations, Turn
from workbench.engines.request import AdapterUse, Message, Overflow, Request, Sampling
from workbench.engines.wire import (
    Cancel,
    Compare,
    Compared,
    Count,
    Counted,
    Delta,
    ErrorInfo,
    Failed,
    Finished,
    Generate,
)


class Talk(QObject):
    """The rules of a conversation, without widgets.

    Signals:
        begun: An answer is being written now.
        grown: More of it; carries the text.
        ended: It is kept, whole or stopped.
        failed: It could not be given; carries an `ErrorInfo`.
        measured: How many tokens the conversation takes, and how many fit.
        compared: What the draft brought on a question; carries a `Compared`, or an `ErrorInfo`.
    """

    begun = Signal()
    grown = Signal(str)
    ended = Signal()
    failed = Signal(object)
    measured = Signal(int, int)
    compared = Signal(object)

    def __init__(
        self, engine: EngineProcess, conversations: Conversations, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._engine = engine
        self._conversations = conversations
        self._asked = 0
        self._current = ""
        self._counted = ""
        self._compared = ""
        self._place: tuple[str, int | None] = ("", None)
        self._text: list[str] = []
        self._guessed: list[list[int]] = []
        self._length = 0
        self.model_name = ""
        engine.emitted.connect(self._take)
        engine.counted.connect(self._measured)
        engine.failed.connect(self._died)

    @property
    def busy(self) -> bool:
        """Whether an answer is being written."""
        return bool(self._current)

    @property
    def conversation_id(self) -> str:
        """Where the answer under way belongs."""
        return self._place[0]

    def answer(
        self,
        id: str,
        turns: list[Turn],
        sampling: Sampling,
        overflow: Overflow,
        adapters: tuple[AdapterUse, ...] = (),
    ) -> None:
        """Ask the model for the turn behind the last of these."""
        self._asked += 1
        self._current = f"answer-{self._asked}"
        self._place = (id, turns[-1].id)
        self._text, self._guessed, self._length = [], [], 0
        request = Request(
            id=self._current,
            messages=self._messages(id, turns),
            sampling=sampling,
            overflow=overflow,
            adapters=adapters,
        )
        self._engine.send(Generate(request=request))
        self.begun.emit()

    def stop(self) -> None:
        """End the answer; what was said is kept."""
        if self._current:
            self._engine.send(Cancel(id=self._current))

    def measure(self, id: str, turns: list[Turn], draft: str) -> None:
        """Ask how many tokens the conversation would take with this text at its end."""
        self._asked += 1
        self._counted = f"count-{self._asked}"
        messages = self._messages(id, turns)
        if draft.strip():
            messages = (*messages, Message(role="user", content=draft))
        if messages:
            self._engine.send(Count(request=Request(id=self._counted, messages=messages)))

    def compare(self, id: str, turns: list[Turn], sampling: Sampling) -> None:
        """Answer the last of these with and without the draft; nothing is kept of the answers."""
        self._asked += 1
        self._compared = f"compare-{self._asked}"
        request = Request(id=self._compared, messages=self._messages(id, turns), sampling=sampling)
        self._engine.send(Compare(id=self._compared, request=request))

    @property
    def comparing(self) -> bool:
        """Whether a comparison is under way; answers wait for it."""
        return bool(self._compared)

    def _messages(self, id: str, turns: list[Turn]) -> tuple[Message, ...]:
        system = self._conversations.get(id).system if id else ""
        said = [Message(role=turn.role, content=turn.text) for turn in turns]
        return (Message(role="system", content=system), *said) if system else tuple(said)

    def _take(self, event: object) -> None:
        if getattr(event, "id", None) == self._counted and isinstance(event, Failed):
            return  # the meter stays as it was; sending says what is wrong
        if self._compared and getattr(event, "id", None) == self._compared:
            if isinstance(event, Compared | Failed):
                self._compared = ""
                self.compared.emit(event.error if isinstance(event, Failed) else event)
            return
        if getattr(event, "id", None) != self._current:
            return
        if isinstance(event, Delta):
            if event.text:
                self._note_guesses(event)
                self._text.append(event.text)
                self.grown.emit(event.text)
        elif isinstance(event, Finished):
            figures = msgspec.to_builtins(event.figures)
            if self._guessed:
                figures["guessed"] = self._guessed
            self._keep(event.text, figures)
            self._current = ""
            self.ended.emit()
        elif isinstance(event, Failed):
            self._fail(event.error)

    def _note_guesses(self, event: Delta) -> None:
        """Remember where the draft's right guesses stand in the answer, as pairs of start and end."""
        start, self._length = self._length, self._length + len(event.text)
        for piece, guessed in zip(event.pieces(), event.drafted, strict=False):
            if guessed and piece:
                if self._guessed and self._guessed[-1][1] == start:
                    self._guessed[-1][1] += len(piece)
                else:
                    self._guessed.append([start, start + len(piece)])
            start += len(piece)

    def _died(self, error: ErrorInfo) -> None:
        if self._compared:
            self._compared = ""
            self.compared.emit(error)
        if self._current:
            self._fail(error)

    def _fail(self, error: ErrorInfo) -> None:
        # What was said before it broke is not lost.
        if self._text:
            self._keep("".join(self._text), {})
        self._current = ""
        self.failed.emit(error)

    def _keep(self, text: str, figures: dict[str, object]) -> None:
        id, parent = self._place
        self._conversations.append(id, parent, "assistant", text, model_name=self.model_name, figures=figures)

    def _measured(self, event: Counted) -> None:
        if event.id == self._counted:
            self.measured.emit(event.tokens, event.context)
