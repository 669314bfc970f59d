"""The prompts on which a model differs most from what it was compared with, both answers side by side."""

from __future__ import annotations

import html

from PySide6.QtCore import Qt
from PySide6.QtGui import QFont
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFrame,
    QGridLayout,
    QLabel,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from ui.theme import Theme
from ui.widgets.card import Card as Ground
from ui.widgets.card import label
from workbench.measure.card import Card, Example
from workbench.measure.figures import kld_text

#: More of one answer is not shown; a card from elsewhere may hold any length.
_MOST_LETTERS = 4000


class ExamplesDialog(QDialog):
    """To read and to copy. From the first word on that differs, the model's answer is marked."""

    def __init__(self, card: Card, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(f"Where {card.subject.name[:80]} differs most")
        self.resize(860, 620)
        reference = card.reference.name if card.reference is not None else "reference"
        body = QWidget(self)
        body.setObjectName("panelBody")
        column = QVBoxLayout(body)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        for each in card.examples:
            column.addWidget(_pair(each, reference, card.subject.name, theme.tokens.warn))
        column.addStretch(1)
        scroll = QScrollArea(self)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setAccessibleName("Prompts and both answers")
        scroll.setWidget(body)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close, self)
        buttons.rejected.connect(self.reject)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(16, 16, 16, 16)
        whole.setSpacing(12)
        whole.addWidget(scroll, 1)
        whole.addWidget(buttons)


def marked(text: str, other: str, colour: str) -> str:
    """The text as HTML, in a colour and underlined from where it parts from another.

    >>> marked("a cat", "a dog", "red")
    'a <span style="color:red;text-decoration:underline">cat</span>'
    """
    shared = min(len(text), len(other))
    place = next((place for place in range(shared) if text[place] != other[place]), shared)
    if place == len(text):
        return _escaped(text)
    style = f"color:{colour};text-decoration:underline"
    return f'{_escaped(text[:place])}<span style="{style}">{_escaped(text[place:])}</span>'


def _pair(example: Example, reference: str, candidate: str, colour: str) -> Ground:
    before, after = example.reference[:_MOST_LETTERS], example.candidate[:_MOST_LETTERS]
    ground = Ground()
    prompt = _text(_escaped(example.prompt[:_MOST_LETTERS]), "body")
    font = prompt.font()
    font.setWeight(QFont.Weight.DemiBold)
    prompt.setFont(font)
    grid = QGridLayout()
    grid.setHorizontalSpacing(20)
    grid.setVerticalSpacing(4)
    for place, (name, text) in enumerate(
        ((reference, _escaped(before)), (candidate, marked(after, before, colour)))
    ):
        grid.addWidget(_text(_escaped(name), "caption"), 0, place)
        grid.addWidget(_text(text or "no answer", "body"), 1, place, Qt.AlignmentFlag.AlignTop)
        grid.setColumnStretch(place, 1)
    ground.column.addWidget(prompt)
    ground.column.addLayout(grid)
    ground.column.addWidget(label(f"Mean KL divergence {kld_text(example.mean_kld)}", "caption"))
    return ground


def _text(rich: str, role: str) -> QLabel:
    made = label("", role, wrap=True)
    made.setTextFormat(Qt.TextFormat.RichText)
    made.setText(rich)
    made.setTextInteractionFlags(
        Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
    )
    return made


def _escaped(text: str) -> str:
    return html.escape(text).replace("\n", "<br/>")
