"""One column of a side-by-side comparison: a model of its own, and its answer."""

from __future__ import annotations

import html
from collections.abc import Sequence

import msgspec
from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QTextBrowser, QToolButton, QVBoxLayout

from ui import icons
from ui.engine_process import EngineProcess
from ui.panels.chat.chosen import Resolve, models_first
from ui.panels.chat.figures import figures_line
from ui.panels.chat.settings import ChatSettings
from ui.theme import Theme
from ui.widgets.card import label
from ui.widgets.elided_label import ElidedLabel
from ui.widgets.form_inputs import CalmComboBox
from ui.widgets.model_words import short_name
from ui.widgets.optimize_model import ModelChooser
from workbench.chat.presets import Presets
from workbench.engines.request import AdapterUse, Message, Request
from workbench.engines.wire import Cancel, Delta, ErrorInfo, Failed, Finished, Generate, LoadReport
from workbench.errors import WorkbenchError
from workbench.library.records import ModelRecord

_DRAW_MS = 60


class AnswerColumn(QFrame):
    """See the module.

    Signals:
        ended: Its answer is there, or there will be none.
        remove_wanted: The person wants this column gone.
    """

    ended = Signal()
    remove_wanted = Signal()

    def __init__(
        self, theme: Theme, settings: ChatSettings, presets: Presets, resolve: Resolve, letter: str
    ) -> None:
        super().__init__()
        self.setProperty("card", True)
        self.letter = letter
        self.tokens: list[int] = []
        self._texts: list[str] = []
        self._theme = theme
        self._settings = settings
        self._presets = presets
        self._resolve = resolve
        self._records: Sequence[ModelRecord] = ()
        self._loaded_path = ""
        self._pending: Request | None = None
        self._asked = 0
        self._current = ""
        self._differs_at: int | None = None
        self.engine = EngineProcess(self)
        self.engine.loaded.connect(self._loaded)
        self.engine.failed.connect(self._failed)
        self.engine.emitted.connect(self._take)
        self.chooser = ModelChooser()
        self.preset = CalmComboBox()
        self.preset.setAccessibleName(f"Settings of answer {letter}")
        self.preset.setToolTip("How this column samples: as the settings beside it say, or as a preset says")
        self.reload_presets()
        self.chooser.chosen.connect(self._show_what)
        self._what = ElidedLabel("", Qt.TextElideMode.ElideMiddle)
        self._what.setProperty("role", "caption")
        self._name = label(f"Answer {letter}", "section")
        self._name.setVisible(False)
        self._remove = QToolButton()
        self._remove.setProperty("autoRaise", True)
        self._remove.setToolTip("Remove this column")
        self._remove.setAccessibleName("Remove this column")
        self._remove.clicked.connect(self.remove_wanted)
        self.text = QTextBrowser()
        self.text.setFrameShape(QFrame.Shape.NoFrame)
        self.text.setObjectName("message-text")
        self.text.setAccessibleName(f"Answer {letter}")
        self.text.setPlaceholderText("The answer stands here.")
        self._figures = label("", "caption", wrap=True)
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(_DRAW_MS)
        self._soon.timeout.connect(self._draw)
        head = QHBoxLayout()
        head.addWidget(self._name, 1)
        head.addWidget(self.chooser, 1)
        head.addWidget(self._remove)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 10, 12, 10)
        column.addLayout(head)
        column.addWidget(self._what)
        column.addWidget(self.preset)
        column.addWidget(self.text, 1)
        column.addWidget(self._figures)
        theme.changed.connect(self._recolour)
        self._recolour()

    @property
    def record(self) -> ModelRecord | None:
        """The chosen model."""
        id = self.chooser.current_id()
        return next((each for each in self._records if each.id == id), None)

    @property
    def busy(self) -> bool:
        """Whether an answer is awaited."""
        return bool(self._current)

    def set_records(self, records: Sequence[ModelRecord], place: int) -> None:
        """Offer these models; at first each column has another."""
        self._records = records
        self.chooser.set_records(records)
        if records and self.chooser.current_id() is None:
            offered = models_first(records)
            self.chooser.choose(offered[place % len(offered)].id)
        self._show_what()

    @property
    def title(self) -> str:
        """What answers here: the model, and the preset where one is chosen."""
        record = self.record
        name = f"{record.name} ({record.quantization})" if record is not None else "none"
        return f"{name}, {self.preset.currentText()}" if self.preset.currentIndex() > 0 else name

    def reload_presets(self) -> None:
        """Offer the presets as they are now."""
        chosen = self.preset.currentText()
        self.preset.clear()
        self.preset.addItems(["Settings as beside", *(each.name for each in self._presets.all())])
        self.preset.setCurrentIndex(max(0, self.preset.findText(chosen)))

    def ask(self, prompt: str, threads: int) -> None:
        """Load the model if it is not yet, and ask it.

        Args:
            prompt: What the person wrote.
            threads: This column's share of the CPU: processes that each take all of it stall one another.
        """
        record = self.record
        if record is None:
            return
        self._asked += 1
        self._current = f"side-{self._asked}"
        self.tokens, self._texts, self._differs_at = [], [], None
        self.text.setPlainText("")
        try:
            chosen = self._resolve(record)
        except WorkbenchError as error:
            self._end(str(error))
            return
        name = self.preset.currentText()
        preset = next((each for each in self._presets.all() if each.name == name), None)
        sampling = preset.sampling if preset is not None else self._settings.sampling()
        system = self._settings.system()
        if preset is not None and preset.system is not None:
            system = preset.system
        turns = (Message(role="system", content=system),) if system else ()
        messages = (*turns, Message(role="user", content=prompt))
        self._figures.setText("Loading…")
        # A column is what its own choice says: the adapter that the settings use for theirs is none of its.
        by_hand = self._settings.adapters.by_hand(chosen.base)
        adapters = (chosen.adapter,) if chosen.adapter is not None else by_hand
        used = {use.name: use for use in self._settings.adapter_uses()}
        uses = (
            (AdapterUse(name=chosen.adapter.name),)
            if chosen.adapter is not None
            else tuple(used[each.name] for each in by_hand if each.name in used)
        )
        request = Request(
            id=self._current,
            messages=messages,
            sampling=sampling,
            adapters=uses,
        )
        loading = self._settings.load_options(chosen.base, adapters=adapters)
        options = msgspec.structs.replace(loading, threads=threads)
        key = msgspec.json.encode(options).decode()
        if self.engine.is_running and key == self._loaded_path:
            self._figures.setText("")
            self.engine.send(Generate(request=request))
            return
        self._pending, self._loaded_path = request, key
        self.engine.load(msgspec.structs.replace(options, draft=None))

    def stop(self) -> None:
        """End the answer."""
        if self._current:
            self.engine.send(Cancel(id=self._current))

    def hide_name(self, hidden: bool) -> None:
        """Show a letter in place of the model's name, for a blind vote."""
        self._name.setVisible(hidden)
        self.chooser.setVisible(not hidden)
        self._what.setVisible(not hidden)
        self.preset.setVisible(not hidden)
        self._figures.setVisible(not hidden)

    def _show_what(self) -> None:
        """What tells the choice from one whose long name begins alike: its type, the end of its name."""
        record = self.record
        if record is None:
            self._what.setText("")
            return
        known = {each.id: each for each in self._records}
        name = short_name(record, known.get(record.parent_id or ""))
        self._what.setText(f"{record.quantization} · {name}" if record.quantization else name)

    def mark_difference(self, index: int | None) -> None:
        """Mark the token where this answer parts from the first one."""
        self._differs_at = index
        self._draw()

    def _loaded(self, _report: LoadReport) -> None:
        self._figures.setText("")
        if self._pending is not None:
            self.engine.send(Generate(request=self._pending))
            self._pending = None

    def _failed(self, error: ErrorInfo) -> None:
        self._pending, self._loaded_path = None, ""
        self._end(f"{error.message} {error.remedy}")

    def _take(self, event: object) -> None:
        if getattr(event, "id", None) != self._current:
            return
        if isinstance(event, Delta):
            self.tokens.extend(event.tokens)
            self._texts.extend(event.pieces())
            if not self._soon.isActive():
                self._soon.start()
        elif isinstance(event, Finished):
            self._end(figures_line(msgspec.to_builtins(event.figures)))
        elif isinstance(event, Failed):
            self._end(f"{event.error.message} {event.error.remedy}")

    def _end(self, words: str) -> None:
        self._current = ""
        self._figures.setText(words)
        self._draw()
        self.ended.emit()

    def _draw(self) -> None:
        self._soon.stop()
        at = self._differs_at
        if at is None or at >= len(self._texts):
            self.text.setPlainText("".join(self._texts))
            return
        tokens = self._theme.tokens
        before = html.escape("".join(self._texts[:at]))
        token = html.escape(self._texts[at]) or "␣"
        after = html.escape("".join(self._texts[at + 1 :]))
        mark = f'<span style="background-color:{tokens.warn};color:{tokens.on_accent}">{token}</span>'
        self.text.setHtml(f'<div style="white-space:pre-wrap">{before}{mark}{after}</div>')

    def _recolour(self) -> None:
        self._remove.setIcon(icons.icon("close", self._theme.tokens.second))
        self._draw()
