"""Two to four models on the same prompt at once: compared, voted on blind if wanted, and counted."""

from __future__ import annotations

import random
from collections.abc import Sequence

from PySide6.QtWidgets import (
    QCheckBox,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from ui.panels.chat.chosen import Resolve
from ui.panels.chat.column import AnswerColumn
from ui.panels.chat.settings import ChatSettings
from ui.theme import Theme
from ui.widgets.card import label
from workbench.chat.divergence import first_difference
from workbench.chat.presets import Presets
from workbench.chat.votes import Votes, Winner
from workbench.hardware import physical_cores
from workbench.library.records import ModelRecord

_FEWEST, _MOST = 2, 4


class SideBySide(QWidget):
    """See the module. Answers use the sampling and the system prompt of the settings beside it."""

    def __init__(
        self, theme: Theme, settings: ChatSettings, presets: Presets, resolve: Resolve, votes: Votes
    ) -> None:
        super().__init__()
        self._theme = theme
        self._settings = settings
        self._presets = presets
        self._resolve = resolve
        self._votes = votes
        self._records: Sequence[ModelRecord] = ()
        self._asked = ""
        self.columns: list[AnswerColumn] = []
        self._row = QHBoxLayout()
        self._row.setSpacing(10)
        self.prompt = QLineEdit()
        self.prompt.setPlaceholderText("One prompt for all — Enter sends")
        self.prompt.setAccessibleName("Prompt for all")
        self.prompt.returnPressed.connect(self.ask)
        self.send = QPushButton("Send to all")
        self.send.setProperty("variant", "primary")
        self.send.clicked.connect(self.ask)
        self.blind = QCheckBox("Blind")
        self.blind.setToolTip("Hide the models’ names and shuffle them until you have voted")
        self.more = QPushButton("Add a column")
        self.more.clicked.connect(self.add_column)
        foot = QHBoxLayout()
        for widget in (self.prompt, self.send, self.blind, self.more):
            foot.addWidget(widget, 1 if widget is self.prompt else 0)
        self._vote_row = QHBoxLayout()
        self._result = label("", "second", wrap=True)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(self._row, 1)
        column.addLayout(self._vote_row)
        column.addWidget(self._result)
        column.addLayout(foot)
        for _ in range(_FEWEST):
            self.add_column()

    def set_records(self, records: Sequence[ModelRecord]) -> None:
        """Offer these models."""
        self._records = records
        for place, each in enumerate(self.columns):
            each.set_records(records, place)

    def choose(self, ids: Sequence[str]) -> None:
        """Put these models or adapters beside each other, the first two to four of them."""
        while len(self.columns) < min(len(ids), _MOST):
            self.add_column()
        while len(self.columns) > max(len(ids), _FEWEST):
            self.remove_column(self.columns[-1])
        for column, id in zip(self.columns, ids, strict=False):
            column.chooser.choose(id)
        self.prompt.setFocus()

    def reload_presets(self) -> None:
        """Offer the presets as they are now."""
        for each in self.columns:
            each.reload_presets()

    def add_column(self) -> None:
        """One more model, up to four."""
        if len(self.columns) >= _MOST:
            return
        letter = "ABCD"[len(self.columns)]
        made = AnswerColumn(self._theme, self._settings, self._presets, self._resolve, letter)
        made.ended.connect(self._ended)
        made.remove_wanted.connect(lambda: self.remove_column(made))
        self.columns.append(made)
        self._row.addWidget(made, 1)
        made.set_records(self._records, len(self.columns) - 1)
        self.more.setEnabled(len(self.columns) < _MOST)

    def remove_column(self, column: AnswerColumn) -> None:
        """One less, down to two."""
        if len(self.columns) <= _FEWEST:
            return
        self.columns.remove(column)
        column.engine.stop()
        self._row.removeWidget(column)
        column.hide()
        column.deleteLater()
        for letter, each in zip("ABCD", self.columns, strict=False):
            each.letter = letter
        self.more.setEnabled(True)
        self._clear_votes()

    def ask(self) -> None:
        """Send the prompt to all, or stop them."""
        if any(each.busy for each in self.columns):
            for each in self.columns:
                each.stop()
            return
        text = self.prompt.text().strip()
        if not text or any(each.record is None for each in self.columns):
            return
        self._asked = text
        self._result.setText("")
        self._clear_votes()
        if self.blind.isChecked():
            self._shuffle()
        for each in self.columns:
            each.hide_name(self.blind.isChecked())
        self.send.setText("Stop")
        for each in self.columns:
            each.ask(text, max(1, physical_cores() // len(self.columns)))

    def close_engines(self) -> None:
        """End every generating process and wait for it."""
        for each in self.columns:
            each.engine.stop_now()

    def vote(self, winner: int | None) -> None:
        """Keep that one column's answer was the best, or that none was."""
        names = [each.title for each in self.columns]
        rates = []
        for left in range(len(names)):
            for right in range(left + 1, len(names)):
                said: Winner | None = "tie" if winner is None else None
                if winner == left:
                    said = "first"
                elif winner == right:
                    said = "second"
                if said is None or names[left] == names[right]:
                    continue
                blind = self.blind.isChecked()
                self._votes.cast(
                    prompt=self._asked, first=names[left], second=names[right], winner=said, blind=blind
                )
                rate = self._votes.win_rate(names[left], names[right])
                if rate is not None:
                    rates.append(
                        f"{names[left]} against {names[right]}: preferred in {rate.rate:.0%}"
                        f" ({rate.low:.0%} to {rate.high:.0%}) of {rate.votes}"
                        f" vote{'s' if rate.votes != 1 else ''}"
                    )
        for each in self.columns:
            each.hide_name(False)
        self._clear_votes()
        self._result.setText("\n".join(rates))

    def _ended(self) -> None:
        if any(each.busy for each in self.columns):
            return
        self.send.setText("Send to all")
        first = self.columns[0]
        parted = []
        for each in self.columns[1:]:
            at = first_difference(first.tokens, each.tokens)
            each.mark_difference(at)
            parted.append(at)
        if len(self.columns) == _FEWEST:
            first.mark_difference(parted[0])
        said = (
            "identical so far" if parted[0] is None else f"the first difference is at token {parted[0] + 1}"
        )
        self._result.setText(f"{self.columns[0].letter} and {self.columns[1].letter}: {said}")
        self._offer_votes()

    def _offer_votes(self) -> None:
        self._clear_votes()
        self._vote_row.addStretch(1)
        for place, each in enumerate(self.columns):
            button = QPushButton(f"{each.letter} is better")
            button.clicked.connect(lambda _on=False, place=place: self.vote(place))
            self._vote_row.addWidget(button)
        tie = QPushButton("No difference")
        tie.clicked.connect(lambda: self.vote(None))
        self._vote_row.addWidget(tie)
        self._vote_row.addStretch(1)

    def _clear_votes(self) -> None:
        while (item := self._vote_row.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()

    def _shuffle(self) -> None:
        """Another model and preset in each column, so that the place gives nothing away."""
        chosen = [(each.chooser.current_id(), each.preset.currentIndex()) for each in self.columns]
        random.shuffle(chosen)
        for each, (id, preset) in zip(self.columns, chosen, strict=True):
            each.preset.setCurrentIndex(preset)
            if id is not None:
                each.chooser.choose(id)
