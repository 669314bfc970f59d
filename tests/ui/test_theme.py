"""The colours: legible in both themes, and changed everywhere at once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PySide6.QtGui import QColor, QFontInfo, QPalette
from PySide6.QtWidgets import QApplication, QLabel
from pytestqt.qtbot import QtBot

from ui.assets import ICONS
from ui.icons import icon, pixmap
from ui.style_sheet import style_sheet
from ui.theme import DARK, LIGHT, PLOT_COLOURS, Theme, Tokens, interface_font

_GROUNDS = ("window", "rail", "card", "raised", "accent_soft")
_BOTH = pytest.mark.parametrize("tokens", [DARK, LIGHT], ids=["dark", "light"])


@_BOTH
@pytest.mark.parametrize("ground", _GROUNDS)
@pytest.mark.parametrize("words", ["text", "second", "accent", "good", "warn", "bad"])
def test_text_that_carries_meaning_reads_on_every_ground(tokens: Tokens, ground: str, words: str) -> None:
    assert _contrast(getattr(tokens, words), getattr(tokens, ground)) >= 4.5


@_BOTH
def test_text_on_filled_buttons_reads_too(tokens: Tokens) -> None:
    assert _contrast(tokens.on_accent, tokens.accent) >= 4.5
    assert _contrast(tokens.on_bad, tokens.bad) >= 4.5


@_BOTH
def test_plot_colours_stand_out_from_a_card(tokens: Tokens) -> None:
    # Lines and markers are not text; yellow is the last one and never stands alone.
    for colour in PLOT_COLOURS[:5]:
        assert _contrast(colour, tokens.card) >= 2.2


def test_a_choice_changes_every_widget_and_is_told_once(qapp: QApplication, qtbot: QtBot) -> None:
    theme = Theme("dark")
    theme.apply(qapp)
    label = QLabel("words")
    label.setProperty("role", "second")
    qtbot.addWidget(label)
    label.show()
    told: list[Tokens] = []
    theme.changed.connect(lambda: told.append(theme.tokens))

    theme.set_mode("light")
    theme.set_mode("light")

    assert told == [LIGHT]
    assert label.palette().color(QPalette.ColorRole.WindowText) == QColor(LIGHT.second)
    assert qapp.palette().color(QPalette.ColorRole.Accent) == QColor(LIGHT.accent)
    qapp.setStyleSheet("")


def test_the_system_is_followed_until_a_side_is_chosen(qapp: QApplication) -> None:
    from PySide6.QtCore import Qt

    hints = qapp.styleHints()
    theme = Theme()
    hints.setColorScheme(Qt.ColorScheme.Dark)
    assert theme.tokens is DARK or hints.colorScheme() is not Qt.ColorScheme.Dark
    theme.set_mode("light")
    hints.setColorScheme(Qt.ColorScheme.Dark)
    assert theme.tokens is LIGHT
    hints.unsetColorScheme()
    with pytest.raises(ValueError, match="no theme"):
        theme.set_mode("sepia")  # type: ignore[arg-type]


@_BOTH
def test_the_style_sheet_names_no_picture_that_is_not_there(tokens: Tokens) -> None:
    pictures = re.findall(r'url\("([^"]+)"\)', style_sheet(tokens))

    assert pictures
    assert all(Path(each).is_file() for each in pictures)


def test_figures_have_one_width_and_the_font_is_a_real_one(qapp: QApplication) -> None:
    font = interface_font()

    assert font.pixelSize() == 13
    assert QFontInfo(font).family()
    label = QLabel()
    label.setFont(font)
    metrics = label.fontMetrics()
    assert metrics.horizontalAdvance("1111") == metrics.horizontalAdvance("8888")


def test_every_icon_is_drawn_in_the_colour_that_is_asked_for(qapp: QApplication) -> None:
    names = sorted(each.stem for each in ICONS.glob("*.svg"))

    assert {"models", "optimize", "jobs", "settings", "spark", "search", "folder", "download"} <= set(names)
    for name in names:
        image = pixmap(name, "#ff0000", 24, 2.0).toImage()
        drawn = [image.pixelColor(x, y) for x in range(48) for y in range(48)]
        opaque = [colour for colour in drawn if colour.alpha() > 200]
        assert opaque, name
        if name != "tenfold":
            assert all(colour.red() > 200 and colour.green() < 40 for colour in opaque), name
    with pytest.raises(FileNotFoundError):
        icon("no-such-icon", "#ff0000")


def _contrast(one: str, other: str) -> float:
    """The contrast of two colours as WCAG 2.2 defines it, from 1 to 21."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
