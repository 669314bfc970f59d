"""Models are told apart without their colours, and markers are seen on their ground."""

from itertools import pairwise

import pytest
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QApplication

from ui.models.compare_choices import MOST
from ui.panels.compare.style import marker_picture, style_of
from ui.tokens import DARK, LIGHT, Tokens


def test_all_models_that_fit_differ_and_neighbours_do_so_without_colour() -> None:
    styles = [style_of(place, is_reference=False, tokens=DARK) for place in range(MOST)]

    assert len(set(styles)) == MOST
    for one, two in pairwise(styles):
        assert one.marker != two.marker
        assert one.dashes != two.dashes


@pytest.mark.parametrize("tokens", [DARK, LIGHT])
def test_markers_stand_out_from_the_card(tokens: Tokens, qapp: QApplication) -> None:
    for place in range(MOST):
        style = style_of(place, is_reference=place == 0, tokens=tokens)

        assert _contrast(QColor(style.colour), QColor(tokens.card)) > 2.0, style
        drawn = marker_picture(style, tokens.card, 16, 1.0).toImage()
        assert any(drawn.pixelColor(x, y).alpha() > 200 for x in range(16) for y in range(16))


def _contrast(one: QColor, two: QColor) -> float:
    """By WCAG 2."""

    def light(colour: QColor) -> float:
        parts = [
            part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
            for part in (colour.redF(), colour.greenF(), colour.blueF())
        ]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    high, low = sorted((light(one), light(two)), reverse=True)
    return (high + 0.05) / (low + 0.05)
