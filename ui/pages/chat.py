"""The Chat page: conversations with a model of the library, and what they take."""

from __future__ import annotations

from pathlib import Path

import msgspec
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import (
    QHBoxLayout,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from ui.actions import add_action
from ui.catalogue_look import CatalogueLook
from ui.context import AppContext
from ui.engine_process import EngineProcess
from ui.panels.chat.beginning import beginning, no_models
from ui.panels.chat.chosen import Chosen, models_first, resolver
from ui.panels.chat.composer import Composer
from ui.panels.chat.header import ChatHeader
from ui.panels.chat.history import History
from ui.panels.chat.live import LivePlots
from ui.panels.chat.message import MessageView
from ui.panels.chat.serve import ServePanel
from ui.panels.chat.settings import ChatSettings
from ui.panels.chat.side import ChatSide
from ui.panels.chat.side_by_side import SideBySide
from ui.panels.chat.talk import Talk
from ui.panels.chat.transcript import WIDEST, Transcript
from workbench.catalogue import CatalogueContents
from workbench.chat.conversations import Conversations, Turn
from workbench.chat.presets import Presets
from workbench.chat.votes import Votes
from workbench.engines.wire import Compared, ErrorInfo, LoadReport, Reading
from workbench.errors import NotFoundError, WorkbenchError
from workbench.library.load_history import Load
from workbench.library.records import ModelRecord

_LEFT_WIDTH = 216
_MEASURE_MS = 300
#: Enough to tell a speed; nobody waits for more.
_COMPARED_TOKENS = 128


class ChatPage(QWidget):
    """See the module."""

    name = "chat"
    title = "Chat"
    icon = "chat"

    def __init__(self, context: AppContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._session = context.session
        self._conversations = Conversations(context.session.store)
        self._conversation_id: str | None = None
        self._turns: list[Turn] = []
        self._resolve = resolver(context.session.library)
        self._chosen: Chosen | None = None
        self._report: LoadReport | None = None
        self._peak_bytes = 0
        self._growing: MessageView | None = None
        self._editing: int | None = None
        self._waiting_text = ""
        self._stale = True
        self.engine = EngineProcess(self)
        self._look = CatalogueLook(context.session.catalogue, self)
        self.talk = Talk(self.engine, self._conversations, self)
        self._measure_soon = QTimer(self)
        self._measure_soon.setSingleShot(True)
        self._measure_soon.setInterval(_MEASURE_MS)
        self._measure_soon.timeout.connect(self._measure)
        self._build()
        self._connect()
        self._make_actions()

    def refresh(self) -> None:
        """Read models and conversations anew."""
        self._stale = False
        records = self._session.library.list()
        self.header.set_records(records)
        self.side_by_side.set_records(records)
        if records and self.header.chooser.current_id() is None:
            self.header.chooser.choose(models_first(records)[0].id)
        elif self._chosen is not None and all(each.id != self._chosen.base.id for each in records):
            # The base of the chosen adapter was removed.
            self._model_chosen(self._chosen.record.id)
        elif self._record is not None:
            self.settings.set_model(self._record, records)
        self.history.refresh()
        self._show_stack()

    def open(self, argument: object) -> None:
        """Choose a model or an adapter by its id, and begin a conversation with it.

        `("side-by-side", ID, ID)` puts two or more beside each other.
        """
        if self._stale:
            self.refresh()
        if isinstance(argument, str):
            self.header.side_by_side.setChecked(False)
            self.header.chooser.choose(argument)
            self.new_conversation()
        elif isinstance(argument, tuple) and argument[:1] == ("side-by-side",):
            self.header.side_by_side.setChecked(True)
            self.side_by_side.choose([id for id in argument[1:] if isinstance(id, str)])

    @property
    def _record(self) -> ModelRecord | None:
        """What is loaded, or would be: the chosen model, or the base of the chosen adapter."""
        return self._chosen.base if self._chosen is not None else None

    @property
    def rests(self) -> bool:
        """Whether nothing is being loaded, answered, compared or about to be."""
        return not self.talk.busy and not self.talk.comparing and not self._waiting_text

    def show_live(self) -> None:
        """Show the plots beside the conversation."""
        self._right.show_live()

    def load(self) -> None:
        """Load the chosen model as the settings say."""
        if self._chosen is None:
            return
        self._unload()
        self.transcript.clear_errors()
        options = self.settings.load_options(self._chosen.base)
        self.talk.model_name = self._chosen.record.name
        self.live.clear()
        self.live.guessing.setVisible(options.draft is not None)
        self.header.show_loading(0.0)
        self.engine.load(options)
        self._show_state()

    def new_conversation(self) -> None:
        """Begin another conversation; it is kept with its first turn."""
        self.talk.stop()
        self._conversation_id = None
        self._editing = None
        self.history.mark(None)
        self._show_turns()
        self.composer.editor.setFocus()

    def show_conversation(self, id: str) -> None:
        """Show one, at the branch that was looked at last."""
        self._conversation_id = id
        self._editing = None
        try:
            self.settings.set_system(self._conversations.get(id).system)
        except NotFoundError as error:
            self._report_error(error)
            self.history.refresh()
            return
        self._show_turns()

    def send(self, text: str) -> None:
        """Say something. Without a loaded model that model is loaded first."""
        if self._report is None:
            self._waiting_text = text
            self.load()
            return
        if self._conversation_id is None:
            made = self._conversations.create(
                model_id=self._chosen.record.id if self._chosen else None, system=self.settings.system()
            )
            self._conversation_id = made.id
        id = self._conversation_id
        parent = self._turns[-1].id if self._turns else None
        if self._editing is not None:
            edited = next((turn for turn in self._turns if turn.id == self._editing), None)
            parent = edited.parent_id if edited is not None else parent
            self._editing = None
        self._conversations.append(id, parent, "user", text)
        self._show_turns()
        self.history.refresh()
        self.history.mark(id)
        self._answer()

    def compare(self) -> None:
        """Measure what the draft brings on the last question of the conversation."""
        asked = max((at for at, turn in enumerate(self._turns) if turn.role == "user"), default=None)
        if self._report is None or asked is None or self.talk.busy or self.talk.comparing:
            self._context.message.emit("info", "Load a model with a draft and ask something first.")
            return
        sampling = self.settings.sampling()
        most = min(sampling.max_tokens or _COMPARED_TOKENS, _COMPARED_TOKENS)
        self.talk.compare(
            self._conversation_id or "",
            self._turns[: asked + 1],
            msgspec.structs.replace(sampling, max_tokens=most),
        )
        self.live.guessing.show_comparing()

    def close_engines(self) -> None:
        """End every generating process and wait for it; the window closes."""
        self._record_load()
        self.engine.stop_now()
        self.side_by_side.close_engines()
        self.serve.stop()

    def showEvent(self, event: object) -> None:
        if self._stale:
            self.refresh()
        self._look.begin()

    def hideEvent(self, event: object) -> None:
        self._look.rest()

    # --- what the engine says -----------------------------------------------------------------------

    def _loaded(self, report: LoadReport) -> None:
        self._report = report
        self._peak_bytes = report.memory_bytes
        self.header.show_loaded(report)
        self._show_state()
        self._measure_soon.start()
        waiting, self._waiting_text = self._waiting_text, ""
        if waiting:
            self.send(waiting)

    def _engine_failed(self, error: ErrorInfo) -> None:
        self._report = None
        self.header.show_idle()
        if self._waiting_text:
            self.composer.set_text(self._waiting_text)
            self._waiting_text = ""
        if not self.talk.busy:
            self.transcript.add_error(error.message, error.remedy, error.details)
        self._stack.setCurrentWidget(self._talking)
        self._show_state()

    def _begun(self) -> None:
        self._growing = self.transcript.add("assistant", self.talk.model_name)
        self._show_state()

    def _grown(self, text: str) -> None:
        if self._growing is not None and self.talk.conversation_id == self._conversation_id:
            self._growing.add_text(text)

    def _ended(self) -> None:
        self._growing = None
        self._show_turns()
        self.history.refresh()
        if self._turns:
            self.live.guessing.show_answer(self._turns[-1].figures)

    def _compared(self, found: Compared | ErrorInfo) -> None:
        if isinstance(found, Compared):
            self.live.guessing.show_compared(found)
        else:
            self.live.guessing.show_failed(f"{found.message} {found.remedy}")
        self._show_state()

    def _answer_failed(self, error: ErrorInfo) -> None:
        self._growing = None
        self._show_turns()
        self.transcript.add_error(error.message, error.remedy, error.details)

    def _read(self, reading: Reading) -> None:
        self._peak_bytes = max(self._peak_bytes, reading.memory_bytes)
        self.live.take(reading)

    # --- what the person does -----------------------------------------------------------------------

    def _answer(self) -> None:
        if self._conversation_id is not None and self._turns and not self.talk.busy:
            self.talk.answer(
                self._conversation_id,
                self._turns,
                self.settings.sampling(),
                self.settings.overflow(),
                self.settings.adapter_uses(),
            )

    def _again(self, turn_id: int) -> None:
        """Answer again: a sibling of this answer, behind the same question."""
        place = next((at for at, turn in enumerate(self._turns) if turn.id == turn_id), None)
        if place is None or self.talk.busy or self._conversation_id is None:
            return
        if self._report is None:
            self._context.message.emit("info", "Load a model first.")
            return
        self._turns = self._turns[:place]
        self.transcript.show_turns(self._turns)
        self._answer()

    def _edit(self, turn_id: int) -> None:
        turn = next((turn for turn in self._turns if turn.id == turn_id), None)
        if turn is not None and not self.talk.busy:
            self._editing = turn_id
            self.composer.set_text(turn.text)

    def _branch(self, turn_id: int) -> None:
        if self._conversation_id is not None and not self.talk.busy:
            self._conversations.choose(self._conversation_id, turn_id)
            self._show_turns()

    def _stop(self) -> None:
        if self.talk.busy:
            self.talk.stop()
        elif self._editing is not None:
            self._editing = None
            self.composer.set_text("")

    def _model_chosen(self, id: str) -> None:
        try:
            chosen = self._resolve(self._session.library.get(id))
        except WorkbenchError as error:
            self._unload()
            self._chosen = None
            self.serve.set_model(None)
            self.settings.adapters.set_chosen(None)
            self.header.show_idle(str(error))
            self._report_error(error)
            self._show_state()
            return
        if self._chosen is not None and chosen.record.id != self._chosen.record.id:
            self._unload()
        self._chosen = chosen
        self.header.show_idle(f"answers through {chosen.base.name}" if chosen.adapter else "")
        self.serve.set_model(chosen.record)
        self.settings.set_model(chosen.base, self._session.library.list())
        self.settings.adapters.set_chosen(chosen.adapter)
        self._show_state()

    def _system_changed(self, text: str) -> None:
        if self._conversation_id is not None:
            self._conversations.set_system(self._conversation_id, text)
        self._measure_soon.start()

    def _unload(self) -> None:
        self._record_load()
        self.talk.stop()
        self.engine.stop()
        self._report = None
        self.header.show_idle()
        self._show_state()

    def _record_load(self) -> None:
        """Remember what the model really took, so that the next estimate is better."""
        report, record = self._report, self._record
        if report is None or record is None or not report.estimated_bytes:
            return
        self._session.loads.record(
            Load(
                architecture=record.architecture or "",
                engine=report.engine,
                format=record.format,
                context=report.context,
                batch=report.parallel,
                estimated_bytes=report.estimated_bytes,
                measured_bytes=self._peak_bytes,
            ),
            model_id=record.id,
            created_at=self._conversations.now(),
        )

    def _gone(self, id: str) -> None:
        if id == self._conversation_id:
            self.new_conversation()

    # --- showing ------------------------------------------------------------------------------------

    def _show_turns(self) -> None:
        id = self._conversation_id
        self._turns = self._conversations.path(id) if id is not None else []
        self.transcript.show_turns(self._turns)
        if self.talk.busy and self.talk.conversation_id == id and self._growing is None:
            self._growing = self.transcript.add("assistant", self.talk.model_name)
        self._show_stack()
        self._show_state()
        self._measure_soon.start()

    def _show_stack(self) -> None:
        if self.header.side_by_side.isChecked():
            self._stack.setCurrentWidget(self.side_by_side)
        elif not self._session.library.list():
            self._stack.setCurrentWidget(self._no_models)
        elif not self._turns and not self.talk.busy:
            self._stack.setCurrentWidget(self._beginning)
        else:
            self._stack.setCurrentWidget(self._talking)
        self.composer.setVisible(self._stack.currentWidget() in (self._talking, self._beginning))
        self._right.setVisible(self._stack.currentWidget() is not self._no_models)

    def _show_state(self) -> None:
        self.composer.set_state(ready=self._record is not None, busy=self.talk.busy)
        self._stop_action.setEnabled(self.talk.busy or self._editing is not None)
        self.live.guessing.show_busy(self.talk.busy or self.talk.comparing)
        if self._report is None:
            self.composer.set_meter(0, 0)

    def _measure(self) -> None:
        if self._report is not None and not self.talk.busy:
            self.talk.measure(self._conversation_id or "", self._turns, self.composer.text)

    def _report_error(self, error: WorkbenchError) -> None:
        self._context.message.emit("bad", str(error))

    def _build(self) -> None:
        self.header = ChatHeader()
        self.history = History(self._conversations)
        self.history.setFixedWidth(_LEFT_WIDTH)
        self.transcript = Transcript(self._context.theme)
        self.composer = Composer(self._context.theme)
        presets = Presets(self._session.store)
        self.settings = ChatSettings(self._context.theme, presets, self._session.home)
        self.live = LivePlots(self._context.theme)
        self.serve = ServePanel(self._session.home)
        self.side_by_side = SideBySide(
            self._context.theme, self.settings, presets, self._resolve, Votes(self._session.store)
        )
        self._talking = self.transcript
        self._beginning = beginning(self.composer.set_text)
        self._no_models = no_models(lambda: self._context.open_page.emit("models", None))
        self._stack = QStackedWidget()
        for widget in (self._talking, self._beginning, self._no_models, self.side_by_side):
            self._stack.addWidget(widget)
        self._right = ChatSide(self.settings, self.live, self.serve)
        middle = QVBoxLayout()
        middle.setSpacing(10)
        middle.addWidget(self._stack, 1)
        self.composer.setMaximumWidth(WIDEST)
        foot = QHBoxLayout()
        foot.addStretch(1)
        foot.addWidget(self.composer, 1000)
        foot.addStretch(1)
        middle.addLayout(foot)
        body = QHBoxLayout()
        body.setSpacing(16)
        body.addWidget(self.history)
        body.addLayout(middle, 1)
        body.addWidget(self._right)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 20, 24, 16)
        column.setSpacing(14)
        column.addWidget(self.header)
        column.addLayout(body, 1)
        self.header.show_idle()

    def _connect(self) -> None:
        context = self._context
        context.models_changed.connect(self._models_changed)
        context.closing.connect(self.close_engines)
        self._look.found.connect(self._take_catalogue)
        self._look.failed.connect(self._report_error)
        self.engine.loading.connect(self.header.show_loading)
        self.engine.loaded.connect(self._loaded)
        self.engine.failed.connect(self._engine_failed)
        self.engine.reading.connect(self._read)
        self.talk.begun.connect(self._begun)
        self.talk.grown.connect(self._grown)
        self.talk.ended.connect(self._ended)
        self.talk.failed.connect(self._answer_failed)
        self.talk.measured.connect(self.composer.set_meter)
        self.talk.compared.connect(self._compared)
        self.live.guessing.compare_wanted.connect(self.compare)
        self.header.chosen.connect(self._model_chosen)
        self.header.load_wanted.connect(self.load)
        self.header.unload_wanted.connect(self._unload)
        self.header.side_by_side.toggled.connect(lambda _on: self._show_stack())
        self.history.chosen.connect(self.show_conversation)
        self.history.new_wanted.connect(self.new_conversation)
        self.history.gone.connect(self._gone)
        self.history.failed.connect(self._report_error)
        self.history.exported.connect(self._exported)
        self.transcript.edit_wanted.connect(self._edit)
        self.transcript.again_wanted.connect(self._again)
        self.transcript.branch_wanted.connect(self._branch)
        for panel in (self.transcript, self.serve):
            panel.copied.connect(lambda what: context.message.emit("good", f"{what} was copied."))
        self.composer.sent.connect(self.send)
        self.composer.stop_wanted.connect(self._stop)
        self.composer.changed.connect(self._measure_soon.start)
        self.composer.failed.connect(self._report_error)
        self.settings.system_changed.connect(self._system_changed)
        self.settings.loading_changed.connect(self._loading_changed)
        self.settings.presets_changed.connect(self.side_by_side.reload_presets)
        self.settings.failed.connect(self._report_error)

    def _take_catalogue(self, found: CatalogueContents) -> None:
        self.settings.loading.draft.set_drafters(
            [each for plugin in found.plugins if plugin.enabled for each in plugin.drafters]
        )

    def _exported(self, path: Path) -> None:
        self._context.message.emit("good", f"{path.name} was written.")

    def _loading_changed(self) -> None:
        if self._report is not None:
            self._context.message.emit(
                "info", "The new way of loading counts when the model is loaded again."
            )

    def _models_changed(self) -> None:
        if self.isVisible():
            self.refresh()
        else:
            self._stale = True

    def _make_actions(self) -> None:
        add_action(self, "New conversation", "Ctrl+N", self.new_conversation)
        self._stop_action = add_action(self, "Stop the answer", "Esc", self._stop)
        self._stop_action.setEnabled(False)
        for text, keys, act in (
            ("Search conversations", "Ctrl+F", self.history.search.setFocus),
            ("Load the model", "Ctrl+L", self.load),
            ("Rename the conversation", "F2", self.history.rename),
            ("Export the conversation", "Ctrl+E", self.history.export),
            ("Side by side", "Ctrl+B", self.header.side_by_side.toggle),
            ("Keep the settings as a preset", "", self.settings.form.ask_and_keep),
            ("Compare guessing with plain decoding", "", self.compare),
            ("Write a message", "Ctrl+M", self.composer.editor.setFocus),
        ):
            add_action(self, text, keys, act)
