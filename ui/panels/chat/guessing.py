"""What guessing ahead brings: right guesses by position, and the speed against plain decoding, measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QGridLayout, QPushButton, QVBoxLayout, QWidget

from ui import format
from ui.widgets.card import label, restyle
from ui.widgets.progress_line import ProgressLine
from workbench.engines.wire import Compared, Figures


class GuessingPanel(QWidget):
    """See the module. Hidden while no draft is loaded.

    Signals:
        compare_wanted: Answer the last question with and without the draft, and compare.
    """

    compare_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._words = label("Nothing was guessed yet.", "second", wrap=True)
        self._grid = QGridLayout()
        self._grid.setHorizontalSpacing(10)
        self._grid.setVerticalSpacing(6)
        self._grid.setColumnStretch(1, 1)
        self._result = label("", "second", wrap=True)
        self._result.setVisible(False)
        self.button = QPushButton("Compare with plain decoding")
        self.button.setToolTip(
            "Answers the last question twice, with the draft and without, taking the likeliest tokens"
        )
        self.button.clicked.connect(self.compare_wanted)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 8, 14, 8)
        column.setSpacing(8)
        column.addWidget(label("Guessing ahead", "section"))
        column.addWidget(self._words)
        column.addLayout(self._grid)
        column.addWidget(self._result)
        column.addWidget(self.button)

    @property
    def result(self) -> str:
        """What the last comparison found, in words."""
        return self._result.text()

    def clear(self) -> None:
        """Another model was loaded."""
        self._words.setText("Nothing was guessed yet.")
        self._result.setVisible(False)
        self._fill((), ())

    def show_answer(self, figures: Mapping[str, Any]) -> None:
        """The guesses of one answer, by position."""
        drafted = int(figures.get("drafted", 0))
        if not drafted:
            return
        accepted = int(figures.get("accepted", 0))
        said = f"{accepted} of {drafted} guesses in the last answer were right."
        if figures.get("speculation") == "lost":
            said += " Guessing was slower than plain decoding and turned itself off."
        self._words.setText(said)
        self._fill(figures.get("offered_at", ()), figures.get("accepted_at", ()))

    def show_busy(self, busy: bool) -> None:
        """Whether a comparison can be asked for now."""
        self.button.setEnabled(not busy)

    def show_comparing(self) -> None:
        """The comparison is under way."""
        self._say("Answering twice…", "")
        self.button.setEnabled(False)

    def show_compared(self, found: Compared) -> None:
        """What the comparison found."""
        plain, guessed = found.plain.tokens_per_s, found.speculative.tokens_per_s
        if not plain or not guessed:
            self._say("The answer was too short to measure. Ask for a longer one.", "warn")
            return
        factor = guessed / plain
        same = (
            "The tokens are the same."
            if found.identical
            else f"The tokens differ from number {(found.first_difference or 0) + 1} on: this backend's"
            " arithmetic depends on how many tokens it computes at once."
        )
        self._say(
            f"×{factor:.2f}: {guessed:.1f} tokens/s with the draft, {plain:.1f} without,"
            f" over {format.grouped(found.plain.completion_tokens)} tokens. {same}",
            "good" if factor >= 1 else "warn",
        )
        self.show_answer(_as_mapping(found.speculative))

    def show_failed(self, words: str) -> None:
        """The comparison could not be made."""
        self._say(words, "bad")

    def _say(self, words: str, tone: str) -> None:
        self._result.setText(words)
        self._result.setProperty("tone", tone)
        self._result.setVisible(True)
        restyle(self._result)

    def _fill(self, offered: Sequence[int], accepted: Sequence[int]) -> None:
        while (item := self._grid.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        for row, (tried, right) in enumerate(zip(offered, accepted, strict=False)):
            if not tried:
                continue
            bar = ProgressLine()
            bar.set_share(right / tried)
            bar.setAccessibleName(f"Right guesses at position {row + 1}")
            self._grid.addWidget(label(f"{row + 1}.", "caption"), row, 0)
            self._grid.addWidget(bar, row, 1)
            self._grid.addWidget(label(f"{right / tried:.0%} of {tried}", "caption"), row, 2)


def _as_mapping(figures: Figures) -> dict[str, Any]:
    return {
        "drafted": figures.drafted,
        "accepted": figures.accepted,
        "offered_at": figures.offered_at,
        "accepted_at": figures.accepted_at,
        "speculation": figures.speculation,
    }
