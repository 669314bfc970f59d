"""Answers to the same prompts, side by side."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QFont
from pytestqt.qtbot import QtBot

from ui.panels.finetune.clamped_text import clamped
from ui.panels.finetune.samples_table import SamplesTable
from ui.theme import Theme
from workbench.jobs.events import Sample


def _told(steps: int) -> list[Sample]:
    found = []
    for step in range(0, steps, 10):
        right = step >= 20
        found.append(Sample(step, step, "capital?", "Paris" if right else "I am a model", "Paris"))
        found.append(Sample(step, step, "hello", f"answer at {step}"))
    return found


def _texts(table: SamplesTable) -> list[list[str]]:
    model = table.samples
    return [
        [model.index(row, column).data() for column in range(model.columnCount())]
        for row in range(model.rowCount())
    ]


def test_the_first_and_the_newest_answers_are_always_there(theme: Theme, qtbot: QtBot) -> None:
    table = SamplesTable(theme)
    qtbot.addWidget(table)
    table.resize(640, 300)

    table.show_samples(_told(60))

    assert _texts(table) == [
        ["capital?", "Paris", "I am a model", "✓ Paris"],
        ["hello", "", "answer at 0", "answer at 50"],
    ]
    headings = [
        table.samples.headerData(column, Qt.Orientation.Horizontal)
        for column in range(table.samples.columnCount())
    ]
    assert headings == ["Prompt", "Expected", "Before", "Step 50 · newest"]


def test_a_wide_table_shows_the_way_between(theme: Theme, qtbot: QtBot) -> None:
    table = SamplesTable(theme)
    qtbot.addWidget(table)
    table.show_samples(_told(60))
    table.resize(1400, 300)
    table.show()

    assert _texts(table)[1][2:] == [f"answer at {step}" for step in range(0, 60, 10)]


def test_a_right_answer_is_marked_by_a_sign_and_said(theme: Theme, qtbot: QtBot) -> None:
    table = SamplesTable(theme)
    qtbot.addWidget(table)
    table.resize(640, 300)
    table.show_samples(_told(30))
    right = table.samples.index(0, 3)

    assert right.data(Qt.ItemDataRole.ForegroundRole) == QColor(theme.tokens.good)
    assert right.data(Qt.ItemDataRole.AccessibleTextRole) == "Step 20 · newest: Paris, as expected"


def test_without_expected_answers_there_is_no_column_for_them(theme: Theme, qtbot: QtBot) -> None:
    table = SamplesTable(theme)
    qtbot.addWidget(table)

    table.show_samples([Sample(1.0, 0, "hello", "hi")])

    assert table.isColumnHidden(1)


def test_long_answers_are_shortened_on_their_last_line() -> None:
    font = QFont()
    font.setPixelSize(13)

    lines = clamped("word " * 200, font, 120, 3)

    assert len(lines) == 3
    assert lines[-1].endswith("…")
    assert clamped("short\nand two", font, 400, 3) == ["short", "and two"]
