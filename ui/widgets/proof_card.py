"""A model's proof card: what it gained, what it cost, where it differs, and under what that was measured."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QMenu, QPushButton, QVBoxLayout, QWidget

from ui.theme import Theme
from ui.widgets.badge import Badge
from ui.widgets.card import label, restyle
from ui.widgets.elided_label import ElidedLabel
from ui.widgets.fact_grid import Fact, FactGrid
from ui.widgets.message import MessageBar
from ui.widgets.model_title import WrappedTitle
from ui.widgets.proof_card_examples import ExamplesDialog
from ui.widgets.proof_card_fold import Fold
from ui.widgets.proof_card_plots import CardPlots
from ui.widgets.proof_words import check_word, figure_of, grade_sentence, made_line, origin_facts, task_tone
from workbench.measure.card import Card
from workbench.measure.card_lines import Line, condition_lines, main_lines, task_line
from workbench.measure.grade import by_stage, failed_checks, headline
from workbench.measure.proofs import KeptCard

#: The forms in which a card leaves the window: what the menu says of each.
FORMS = {
    "json": "Sealed card (JSON)…",
    "html": "Page (HTML)…",
    "png": "Picture (PNG)…",
    "markdown": "Table for a model card (Markdown)…",
}


class ProofCard(QWidget):
    """Shows one card of a model, or that it was not measured yet.

    Args:
        standalone: With the model's name on top and without buttons, for a picture.

    Signals:
        measure_wanted: Measure the model, for the first time or again.
        export_wanted: Hand the card over in a form; a key of `FORMS`.
    """

    measure_wanted = Signal()
    export_wanted = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget | None = None, *, standalone: bool = False) -> None:
        super().__init__(parent)
        self._theme = theme
        self._kept: tuple[KeptCard, ...] | None = None
        self._card: Card | None = None
        self._standalone = standalone
        self.setAccessibleName("Proof")
        self._build()
        self.show_cards(())

    @property
    def card(self) -> Card | None:
        """The card that is shown."""
        return self._card

    def show_cards(self, kept: Sequence[KeptCard]) -> None:
        """Show the first of a model's cards, and offer the others."""
        if tuple(kept) == self._kept:
            return
        self._kept = tuple(kept)
        self._others.clear()
        for each in self._kept:
            action = QAction(made_line(each.card).replace("&", "&&"), self._others)
            action.setCheckable(True)
            action.triggered.connect(lambda _on=False, card=each.card: self.show_card(card))
            self._others.addAction(action)
        self._choose.setText(f"{len(self._kept)} proofs")
        self._choose.setVisible(len(self._kept) > 1 and not self._standalone)
        self.show_card(self._kept[0].card if self._kept else None)

    def show_card(self, card: Card | None) -> None:
        """Show a card, or that there is none."""
        self._card = card
        self._empty.setVisible(card is None)
        self._whole.setVisible(card is not None)
        if card is None:
            return
        for action, kept in zip(self._others.actions(), self._kept or (), strict=False):
            action.setChecked(kept.card is card)
        self._show_head(card)
        self._facts.set_facts([*(_fact(line) for line in main_lines(card)), *origin_facts(card)])
        self._plots.show_card(card)
        self._show_tasks(card)
        checks = [Fact(_capital(each.name), check_word(each.result), each.finding) for each in card.parity]
        self._checks.set_facts(checks)
        self._checks_title.setVisible(bool(checks))
        self._checks.setVisible(bool(checks))
        self._examples.setVisible(bool(card.examples) and not self._standalone)
        self._examples.setText(f"{len(card.examples)} answers that differ most…")
        self._conditions.set_facts([_fact(line) for line in condition_lines(card.conditions)])
        self.setAccessibleDescription(headline(card))

    # ------------------------------------------------------------------ showing

    def _show_head(self, card: Card) -> None:
        figure = figure_of(card)
        self._title.set_text(card.subject.name)
        self._figure.setText(figure.text)
        self._beside.setText(figure.beside)
        if self._figure.property("tone") != figure.tone:
            self._figure.setProperty("tone", figure.tone)
            restyle(self._figure)
        sentence, tone = grade_sentence(card)
        self._sentence.setText(sentence)
        self._sentence.setVisible(bool(sentence))
        if self._sentence.property("tone") != tone:
            self._sentence.setProperty("tone", tone)
            restyle(self._sentence)
        failed = failed_checks(card)
        self._fault.setVisible(bool(failed))
        if failed:
            title = f"Broken{by_stage(failed[0])}: {', '.join(each.name for each in failed)}"
            findings = "\n".join(each.finding for each in failed if each.finding)
            self._fault.show_message("bad", title, findings)

    def _show_tasks(self, card: Card) -> None:
        for row in self._task_rows:
            self._tasks_column.removeWidget(row)
            row.hide()
            row.deleteLater()
        self._task_rows = [_task_row(task_line(each), each.verdict, self._tasks) for each in card.tasks]
        for row in self._task_rows:
            self._tasks_column.addWidget(row)
            row.show()
        self._tasks.setVisible(bool(self._task_rows))

    def _show_examples(self) -> None:
        if self._card is not None:
            ExamplesDialog(self._card, self._theme, self).exec()

    # ------------------------------------------------------------------ building

    def _build(self) -> None:
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        self._empty = self._build_empty()
        self._whole = QWidget(self)
        self._fill(QVBoxLayout(self._whole))
        whole.addWidget(self._empty)
        whole.addWidget(self._whole)

    def _build_empty(self) -> QWidget:
        empty = QWidget(self)
        words = label(
            "Not measured yet: how fast it is here, and how far from what it was made from.",
            "second",
            empty,
            wrap=True,
        )
        self.measure = QPushButton("Measure", empty)
        self.measure.setAccessibleName("Measure this model")
        self.measure.clicked.connect(self.measure_wanted)
        row = QHBoxLayout(empty)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(12)
        row.addWidget(words, 1)
        row.addWidget(self.measure)
        return empty

    def _fill(self, column: QVBoxLayout) -> None:
        inside = self._whole
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        self._title = WrappedTitle(parent=inside)
        self._title.setVisible(self._standalone)
        column.addWidget(self._title)
        column.addLayout(self._build_figures(inside))
        self._fault = MessageBar("bad", "", "", "", inside)
        self._sentence = label("", "body", inside, wrap=True)
        self._facts = FactGrid(inside)
        self._plots = CardPlots(self._theme, inside)
        self._choose = QPushButton("", inside)
        self._choose.setProperty("menu", "true")
        self._choose.setProperty("segment", "true")
        self._choose.setAccessibleName("All proofs of this model")
        self._others = QMenu(self)
        self._choose.setMenu(self._others)
        for widget in (self._fault, self._sentence, self._facts):
            column.addWidget(widget)
        column.addWidget(self._choose, 0, Qt.AlignmentFlag.AlignLeft)
        column.addWidget(self._build_buttons(inside))
        column.addWidget(self._plots)
        self._tasks = QWidget(inside)
        self._tasks_column = QVBoxLayout(self._tasks)
        self._tasks_column.setContentsMargins(0, 0, 0, 0)
        self._tasks_column.setSpacing(6)
        self._tasks_column.addWidget(label("Tasks, right before and after", "caption", self._tasks))
        self._task_rows: list[QWidget] = []
        column.addWidget(self._tasks)
        self._checks_title = label("What conversions are known to break", "caption", inside)
        self._checks = FactGrid(inside)
        column.addWidget(self._checks_title)
        column.addWidget(self._checks)
        self._examples = QPushButton("", inside)
        self._examples.setAccessibleName("Show the answers that differ most, side by side")
        self._examples.clicked.connect(self._show_examples)
        column.addWidget(self._examples)
        self._conditions = FactGrid(inside)
        self._fold = Fold("Conditions", self._conditions, inside)
        column.addWidget(self._fold)
        if self._standalone:
            self._fold.unfold(True)

    def _build_figures(self, inside: QWidget) -> QHBoxLayout:
        self._figure = label("", "figure", inside)
        self._beside = label("", "second", inside)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self._figure)
        row.addStretch(1)
        row.addWidget(self._beside)
        return row

    def _build_buttons(self, inside: QWidget) -> QWidget:
        buttons = QWidget(inside)
        self.export = QPushButton("Export proof", buttons)
        self.export.setProperty("menu", "true")
        self.export.setAccessibleName("Export the proof")
        menu = QMenu(self)
        for form, text in FORMS.items():
            menu.addAction(text).triggered.connect(lambda _on=False, form=form: self.export_wanted.emit(form))
        self.export.setMenu(menu)
        self.again = QPushButton("Measure again", buttons)
        self.again.setAccessibleName("Measure this model again")
        self.again.clicked.connect(self.measure_wanted)
        row = QHBoxLayout(buttons)
        row.setContentsMargins(0, 4, 0, 4)
        row.setSpacing(8)
        row.addWidget(self.export, 1)
        row.addWidget(self.again, 1)
        buttons.setVisible(not self._standalone)
        return buttons


def _fact(line: Line) -> Fact:
    return Fact(_capital(line.label), line.change, line.meaning)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _task_row(line: Line, verdict: str, parent: QWidget) -> QWidget:
    """A set's name, what both got right, and below them what that shows."""
    row = QWidget(parent)
    row.setAccessibleName(f"{line.label}: {line.change}, {verdict}")
    name = ElidedLabel(line.label, parent=row)
    name.setProperty("role", "second")
    figures = label(line.change, "body", row)
    figures.setToolTip(line.meaning)
    shown = Badge(verdict, task_tone(verdict), row)
    grid = QGridLayout(row)
    grid.setContentsMargins(0, 0, 0, 0)
    grid.setVerticalSpacing(2)
    grid.setColumnStretch(0, 1)
    grid.addWidget(name, 0, 0)
    grid.addWidget(figures, 0, 1)
    grid.addWidget(shown, 1, 0, 1, 2, Qt.AlignmentFlag.AlignLeft)
    return row
