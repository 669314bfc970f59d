"""What is in the data, in figures: a small grid of numbers with what each one counts."""

from __future__ import annotations

from PySide6.QtWidgets import QGridLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from ui import format
from ui.panels.finetune.data_answer import DataAnswer
from ui.widgets.card import label, restyle

_COLUMNS = 4
#: Above this share of the tokens a cut is more than the odd long row.
_MUCH_CUT = 0.02

#: Name, caption, and what it means.
_FIGURES = (
    ("rows", "examples", "Rows that can be used"),
    ("bad", "bad rows", "Rows that can't be used; they are listed below"),
    ("tokens", "tokens", "All tokens of all examples, templates included"),
    (
        "masked",
        "only seen",
        "Share of the tokens that the model sees and does not learn: prompts and templates",
    ),
    ("cut", "cut", "Rows longer than the cut-off; what lies behind it is lost"),
    ("held_out", "held out", "Examples that are kept for evaluation and never learned"),
    ("same", "twice", "Rows whose content was there before"),
    ("alike", "nearly twice", "Rows that differ little from one that was there before"),
)


class DataFigures(QWidget):
    """Hidden until there is an answer."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(12)
        self.figures: dict[str, QLabel] = {}
        for place, (name, caption, meaning) in enumerate(_FIGURES):
            cell = QWidget()
            cell.setToolTip(meaning)
            column = QVBoxLayout(cell)
            column.setContentsMargins(0, 0, 0, 0)
            column.setSpacing(0)
            figure = label("—", "section")
            figure.setProperty("caption", caption)
            under = label(caption, "caption")
            for each in (figure, under):
                each.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
                column.addWidget(each)
            self.figures[name] = figure
            grid.addWidget(cell, place // _COLUMNS, place % _COLUMNS)
        for place in range(_COLUMNS):
            grid.setColumnStretch(place, 1)

    def show_answer(self, answer: DataAnswer | None) -> None:
        """Show what an answer says; nothing where there is none."""
        self.setVisible(answer is not None)
        texts = {name: "—" for name in self.figures} if answer is None else _texts(answer)
        tones = {} if answer is None else _tones(answer)
        for name, figure in self.figures.items():
            figure.setText(texts[name])
            figure.setAccessibleName(f"{texts[name]} {figure.property('caption')}")
            if figure.property("tone") != tones.get(name, ""):
                figure.setProperty("tone", tones.get(name, ""))
                restyle(figure)


def _texts(answer: DataAnswer) -> dict[str, str]:
    cut = format.grouped(answer.cut_rows)
    if answer.cut_rows:
        digits = 0 if answer.cut_share >= 0.1 else 1
        cut += f" · {format.percent(answer.cut_share, digits)}"
    return {
        "rows": format.count(answer.rows),
        "bad": format.count(answer.bad),
        "tokens": format.count(answer.tokens),
        "masked": format.percent(answer.masked_share),
        "cut": cut,
        "held_out": format.count(answer.held_out),
        "same": format.count(answer.same_rows),
        "alike": format.count(answer.alike_rows),
    }


def _tones(answer: DataAnswer) -> dict[str, str]:
    return {
        "bad": "warn" if answer.bad else "",
        "cut": "warn" if answer.cut_share > _MUCH_CUT else "",
        "held_out": "" if answer.held_out else "warn",
        "same": "warn" if answer.same_rows else "",
        "alike": "warn" if answer.alike_across else "",
    }
