"""A long name keeps its beginning and its end in a narrow field, and is whole for whoever writes there."""

from __future__ import annotations

from PySide6.QtWidgets import QLineEdit, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from ui.widgets.elided_line_edit import ElidedLineEdit

_NAME = "A-model-with-a-rather-long-name-Instruct-Q4_K_M"


def test_the_middle_is_left_out_until_somebody_writes(qtbot: QtBot) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    other, field = QLineEdit(window), ElidedLineEdit(_NAME, window)
    layout = QVBoxLayout(window)
    layout.addWidget(other)
    layout.addWidget(field)
    window.resize(180, 80)
    with qtbot.waitExposed(window):
        window.show()
    window.activateWindow()
    other.setFocus()
    qtbot.waitUntil(other.hasFocus)

    shown = field.shown_text()
    assert "…" in shown and _NAME.startswith(shown.partition("…")[0]) and shown.endswith("K_M")
    # Drawn other than Qt would draw it.
    plain = field.grab().toImage()
    field.setFocus()
    qtbot.waitUntil(field.hasFocus)

    assert field.shown_text() == field.text() == _NAME
    assert field.grab().toImage() != plain


def test_a_text_with_room_is_drawn_as_it_is(qtbot: QtBot) -> None:
    field = ElidedLineEdit("short")
    qtbot.addWidget(field)
    field.resize(200, 30)

    assert field.shown_text() == "short"
