"""The Compare page: which of some measured models to use on this machine, seen in one look."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QMenu,
    QPushButton,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from ui.actions import add_action
from ui.context import AppContext
from ui.measuring import measure
from ui.models.compare_choices import MOST, ChoiceList
from ui.models.compare_variants import Candidate, Comparison, compare, family_of
from ui.panels.compare.board import CompareBoard
from ui.panels.compare.chart import SAVING
from ui.panels.compare.chooser import ChooserPanel
from ui.panels.compare.pick_panel import PickPanel
from ui.widgets.card import label
from ui.widgets.elided_label import ElidedLabel
from ui.widgets.empty_state import EmptyState
from workbench.errors import WorkbenchError
from workbench.jobs.runner import JobUpdate, is_resting
from workbench.library.records import ModelRecord
from workbench.measure.card import Card

_SIDE_WIDTH = 308
_TABLE_FILES = "CSV tables (*.csv);;PNG pictures (*.png);;SVG pictures (*.svg)"
#: From this width on the models stand beside the charts from the start.
_WIDE = 1500


class ComparePage(QWidget):
    """See the module.

    Signals:
        measure_wanted: The ids of models that the person wants to have measured, and of the model to compare
            them with (None for what each was made from).
    """

    measure_wanted = Signal(list, object)

    name = "compare"
    title = "Compare"
    icon = "scales"

    def __init__(self, context: AppContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._proofs = context.session.proofs
        self._records: dict[str, ModelRecord] = {}
        self._cards: dict[str, tuple[Card, ...]] = {}
        self._stale = True
        self._measured: set[str] = set()
        self._person_chose = False
        self._around: str | None = None
        self._side_settled = False
        self.comparison = Comparison()
        self._shown: tuple[Comparison, dict[str, tuple[Card, ...]]] | None = None
        self.choices = ChoiceList(self)
        self.chooser = ChooserPanel(context.theme, self.choices)
        self.picker = PickPanel(context.theme)
        self.board = CompareBoard(context.theme)
        self._build()
        self._make_actions()
        self._connect()

    def refresh(self) -> None:
        """Read the library and the cards anew; what is chosen stays, where it is still there."""
        self._stale = False
        try:
            records = self._context.session.library.list()
        except WorkbenchError as error:
            self._context.message.emit("bad", str(error))
            return
        kept = self._proofs.all()
        self._records = {record.id: record for record in records}
        self._cards = {}
        for each in kept:
            hash = each.card.subject.sha256
            self._cards[hash] = (*self._cards.get(hash, ()), each.card)
        speaking = self._proofs.newest(record.sha256 for record in records)
        self.choices.set_models(records, speaking)
        measured = {record.id for record in records if record.sha256 in speaking}
        fresh, self._measured = measured - self._measured, measured
        if not self._person_chose:
            self.choices.choose(family_of(records, lambda record: record.id in measured))
        elif fresh:
            # What was measured a moment ago was measured to be seen.
            self.choices.choose({*self.choices.chosen, *fresh})
        self._compare()

    def open(self, argument: object) -> None:
        """Compare the models with these ids; with one id, its whole family."""
        if self._stale:
            self.refresh()
        ids = (argument,) if isinstance(argument, str) else argument
        if not isinstance(ids, tuple | list):
            return
        if len(ids) == 1:
            self._choose_family(str(ids[0]))
        else:
            self._person_chose = True
            self.choices.choose([str(each) for each in ids])

    def showEvent(self, event: object) -> None:
        if self._stale:
            self.refresh()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        # Once: afterwards the person has it as they left it.
        if not self._side_settled and self.isVisible():
            self._side_settled = True
            if self.width() >= _WIDE:
                self.models_button.setChecked(True)

    def save_all(self, folder: Path) -> None:
        """Save every chart as PNG, SVG and CSV, and the table, into a folder."""
        try:
            made = self.board.save_all(folder)
        except WorkbenchError as error:
            self._context.message.emit("bad", str(error))
            return
        self._context.message.emit("good", f"{len(made)} files are in {folder}.")

    # ------------------------------------------------------------------ comparing

    def _compare(self) -> None:
        candidates = [
            Candidate(record, cards)
            for id in self.choices.chosen
            if (record := self._records.get(id)) is not None and (cards := self._cards_of(record))
        ]
        known = {record.sha256: record for record in self._records.values() if record.sha256 is not None}
        found = compare(candidates, known, self._around)
        if (found, self._cards) != self._shown:
            self._shown = (found, self._cards)
            self.comparison = found
            self.board.show_comparison(found, self._cards)
            self.picker.show_comparison(found)
        self._show_state()

    def _cards_of(self, record: ModelRecord) -> tuple[Card, ...]:
        return self._cards.get(record.sha256, ()) if record.sha256 is not None else ()

    def _show_state(self) -> None:
        compared = self.comparison.variants
        any_card = any(self._cards_of(record) for record in self._records.values())
        state = (
            self.board
            if compared
            else self._no_models
            if not self._records
            else self._nothing_chosen
            if any_card
            else self._no_cards
        )
        self._stack.setCurrentWidget(state)
        for button in (self.export_button, self.pick_button):
            button.setVisible(bool(compared))
        self.models_button.setVisible(bool(self._records))
        if not compared:
            self.pick_button.setChecked(False)
        self._summary.setText(self._told())

    def _told(self) -> str:
        """What is compared, and under which conditions."""
        variants = self.comparison.variants
        if not variants:
            return ""
        reference = self.comparison.reference
        conditions = variants[-1].card.conditions
        parts = [
            f"{len(variants)} models" if len(variants) > 1 else "1 model",
            f"against {reference.name}" if reference is not None else "",
            # What a narrow window cuts off stands last, and this is what one must not overlook.
            "speeds are noisy" if any(each.decode and each.decode.noisy for each in variants) else "",
            f"{conditions.form} form",
            conditions.machine,
        ]
        return " · ".join(part for part in parts if part)

    def _chosen_changed(self) -> None:
        if not self._stale:
            self._compare()

    def _choose_family(self, id: str) -> None:
        """Choose all measured models that have the same base as this one."""
        wanted = self._records.get(id)
        if wanted is None:
            return
        records = list(self._records.values())
        relatives = family_of(records, lambda record: record.id == id or bool(self._cards_of(record)), id)
        self._person_chose = True
        self._around = id
        self.choices.choose(relatives)
        self.chooser.show_current(id)

    def _show_around(self, id: str) -> None:
        self._around = id
        self._compare()

    def _take_updates(self, updates: list[JobUpdate]) -> None:
        if any(is_resting(update.job.state) for update in updates):
            self._models_changed()

    def _models_changed(self) -> None:
        """Read anew now where it is seen, else when it is seen again."""
        self._stale = True
        if self.isVisible():
            self.refresh()

    # ------------------------------------------------------------------ what is asked

    def _person_toggled(self) -> None:
        self._person_chose = True

    def _choose_none(self) -> None:
        self._person_chose = True
        self.choices.choose(())

    def _ask_for_folder(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Save all charts and the table into")
        if chosen:
            self.save_all(Path(chosen))

    def _ask_for_table(self) -> None:
        chosen, _ = QFileDialog.getSaveFileName(self, "Save the table", "all-figures.csv", _TABLE_FILES)
        if not chosen:
            return
        try:
            self.board.save_table(Path(chosen))
        except WorkbenchError as error:
            self._context.message.emit("bad", str(error))
            return
        self._saved(chosen)

    def _save_chart(self, ending: str) -> None:
        chart = self.board.focused_chart()
        if chart is None:
            self._context.message.emit("info", "Go to a chart first: with Tab, or with a click.")
        else:
            chart.ask_to_save(ending)

    def _saved(self, path: object) -> None:
        self._context.message.emit("good", f"Saved {path}.")

    def _copied(self, rows: int) -> None:
        self._context.message.emit("good", "1 row was copied." if rows == 1 else f"{rows} rows were copied.")

    def _show_side(self, panel: QWidget, other: QPushButton, on: bool) -> None:
        """One panel at a time stands beside the charts."""
        if on:
            other.setChecked(False)
            self._side.setCurrentWidget(panel)
        self._side.setVisible(self.models_button.isChecked() or self.pick_button.isChecked())
        self._show_picked()

    def _show_picked(self) -> None:
        self.board.set_picked(self.picker.found.best, ringed=self.pick_button.isChecked())

    def _search(self) -> None:
        self.models_button.setChecked(True)
        self.chooser.search.setFocus(Qt.FocusReason.ShortcutFocusReason)

    # ------------------------------------------------------------------ building

    def _build(self) -> None:
        head = QHBoxLayout()
        head.setSpacing(10)
        self._summary = ElidedLabel()
        self._summary.setProperty("role", "second")
        self.models_button = QPushButton("Models")
        self.models_button.setCheckable(True)
        self.models_button.setProperty("toggle", "true")
        self.models_button.setAccessibleName("Choose the models to compare")
        self.export_button = QPushButton("Export")
        self.export_button.setAccessibleName("Save charts and table")
        self.export_menu = QMenu(self)
        self.export_button.setMenu(self.export_menu)
        self.pick_button = QPushButton("Pick for me")
        self.pick_button.setProperty("variant", "primary")
        self.pick_button.setCheckable(True)
        head.addWidget(label(self.title, "title"))
        head.addSpacing(4)
        head.addWidget(self._summary, 1)
        for button in (self.models_button, self.export_button, self.pick_button):
            head.addWidget(button)
        self._side = QStackedWidget()
        self._side.setFixedWidth(_SIDE_WIDTH)
        self._side.addWidget(self.chooser)
        self._side.addWidget(self.picker)
        self._side.hide()
        self._stack = QStackedWidget()
        self._build_states()
        row = QHBoxLayout()
        row.setSpacing(12)
        row.addWidget(self._stack, 1)
        row.addWidget(self._side)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 20, 16, 20)
        layout.setSpacing(16)
        layout.addLayout(head)
        layout.addLayout(row, 1)

    def _build_states(self) -> None:
        add, choose, again = QPushButton("Add a model"), QPushButton("Choose a model"), QPushButton("Models")
        for button in (add, choose, again):
            button.setProperty("variant", "primary")
        add.clicked.connect(lambda: self._context.open_page.emit("models", None))
        choose.clicked.connect(self._search)
        again.clicked.connect(self._search)
        self._no_models = EmptyState(
            "scales",
            "Nothing to compare yet",
            "Add a model, make smaller or faster ones from it, and see here what each gained and what it"
            " cost.",
            [add],
        )
        self._no_cards = EmptyState(
            "scales",
            "Nothing was measured yet",
            "A model is compared by its proof card: its speed, its memory, and how far it is from the model"
            " that it was made from, measured on this machine. A small one takes about a minute.",
            [choose],
        )
        self._nothing_chosen = EmptyState(
            "scales", "No models are chosen", "Choose two or more measured models to compare them.", [again]
        )
        for widget in (self.board, self._no_models, self._no_cards, self._nothing_chosen):
            self._stack.addWidget(widget)

    def _make_actions(self) -> None:
        for text, keys, call, in_menu in (
            ("Choose the models to compare", "Ctrl+M", self.models_button.toggle, False),
            ("Search the models to compare", "Ctrl+F", self._search, False),
            ("Pick for me", "Ctrl+P", self.pick_button.toggle, False),
            ("Save all charts and the table…", "Ctrl+E", self._ask_for_folder, True),
            ("Save the table…", "", self._ask_for_table, True),
            ("Copy the table", "", self.board.table.copy, True),
            ("Go to the table", "Ctrl+T", self._go_to_table, False),
            ("Read the cards anew", "F5", self.refresh, False),
            *(
                (
                    f"{text.removesuffix('…')} of the chart in focus…",
                    keys,
                    partial(self._save_chart, ending),
                    False,
                )
                for ending, (text, keys) in SAVING.items()
            ),
        ):
            action = add_action(self, text, keys, call)
            if in_menu:
                self.export_menu.addAction(action)

    def _go_to_table(self) -> None:
        self.board.ensureWidgetVisible(self.board.table)
        self.board.table.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def _connect(self) -> None:
        context, board = self._context, self.board
        context.models_changed.connect(self._models_changed)
        context.jobs_changed.connect(self._take_updates)
        self.choices.chosen_changed.connect(self._chosen_changed)
        self.choices.toggled.connect(self._person_toggled)
        self.chooser.none_wanted.connect(self._choose_none)
        self.choices.too_many.connect(
            lambda: context.message.emit("info", f"At most {MOST} models can be told apart in the charts.")
        )
        self.models_button.toggled.connect(lambda on: self._show_side(self.chooser, self.pick_button, on))
        self.pick_button.toggled.connect(lambda on: self._show_side(self.picker, self.models_button, on))
        self.measure_wanted.connect(lambda ids, against: measure(context, ids, against))
        self.chooser.measure_wanted.connect(lambda ids: self.measure_wanted.emit(ids, None))
        self.chooser.family_wanted.connect(self._choose_family)
        self.picker.picked.connect(self._show_picked)
        self.picker.open_wanted.connect(lambda id: context.open_page.emit("models", id))
        self.picker.chat_wanted.connect(lambda id: context.open_page.emit("chat", id))
        board.measure_wanted.connect(self.measure_wanted)
        board.shown_wanted.connect(self._show_around)
        board.saved.connect(self._saved)
        board.copied.connect(self._copied)
        board.failed.connect(lambda error: context.message.emit("bad", str(error)))
