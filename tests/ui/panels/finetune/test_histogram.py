"""The histogram of lengths and its line."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Qt
from pytestqt.qtbot import QtBot

from ui.panels.finetune.histogram import LengthHistogram
from ui.theme import Theme


def _shown(theme: Theme, qtbot: QtBot) -> LengthHistogram:
    made = LengthHistogram(theme)
    qtbot.addWidget(made)
    made.resize(408, 140)
    made.show_lengths((10, 20, 4, 0), (0, 100, 200, 300, 400), limit=200, most=1000)
    made.show()
    return made


def test_the_line_counts_what_is_longer(theme: Theme, qtbot: QtBot) -> None:
    histogram = _shown(theme, qtbot)

    assert histogram.rows_cut(200) == 4
    assert histogram.rows_cut(150) == 14
    assert histogram.rows_cut(400) == 0
    assert "4 of 34 are longer" in histogram.accessibleDescription()


def test_the_line_is_dragged_and_told_while_it_moves(theme: Theme, qtbot: QtBot) -> None:
    histogram = _shown(theme, qtbot)
    moved: list[int] = []
    histogram.limit_moved.connect(moved.append)

    qtbot.mousePress(histogram, Qt.MouseButton.LeftButton, pos=QPoint(204, 60))
    qtbot.mouseMove(histogram, QPoint(304, 60))
    with qtbot.waitSignal(histogram.limit_chosen) as chosen:
        qtbot.mouseRelease(histogram, Qt.MouseButton.LeftButton, pos=QPoint(304, 60))

    assert moved == [200, 300]
    assert chosen.args == [300]
    assert histogram.limit == 300


def test_the_keyboard_moves_the_line_within_what_is_allowed(theme: Theme, qtbot: QtBot) -> None:
    histogram = _shown(theme, qtbot)

    qtbot.keyClick(histogram, Qt.Key.Key_Right)
    assert histogram.limit == 208
    qtbot.keyClick(histogram, Qt.Key.Key_PageDown)
    assert histogram.limit == 168
    qtbot.keyClick(histogram, Qt.Key.Key_End)
    assert histogram.limit == 300
    for _ in range(30):
        qtbot.keyClick(histogram, Qt.Key.Key_PageUp)
    assert histogram.limit == 1000


def test_without_data_nothing_moves(theme: Theme, qtbot: QtBot) -> None:
    histogram = LengthHistogram(theme)
    qtbot.addWidget(histogram)

    qtbot.keyClick(histogram, Qt.Key.Key_Right)

    assert histogram.limit == 1
    assert histogram.accessibleDescription() == "Nothing has been read yet"
