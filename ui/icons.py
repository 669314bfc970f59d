"""The window's own icons, drawn in any colour."""

from __future__ import annotations

from functools import lru_cache

from PySide6.QtCore import QByteArray, QRectF, Qt
from PySide6.QtGui import QIcon, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

from ui.assets import ICONS

#: What the window asks for, at one, two and three pixels a point.
_SIZES = (16, 20, 24, 32, 40, 48, 72)


@lru_cache(maxsize=512)
def icon(name: str, colour: str = "#808080") -> QIcon:
    """An icon of `ui/assets/icons` by its name, its strokes in one colour (`#RRGGBB`).

    Raises:
        FileNotFoundError: There is no icon of this name.
    """
    renderer = _renderer(name, colour)
    made = QIcon()
    for size in _SIZES:
        made.addPixmap(_drawn(renderer, size))
    return made


def pixmap(name: str, colour: str, size: int, ratio: float = 1.0) -> QPixmap:
    """An icon `size` points wide for a screen with `ratio` pixels a point."""
    made = _drawn(_renderer(name, colour), round(size * ratio))
    made.setDevicePixelRatio(ratio)
    return made


def _renderer(name: str, colour: str) -> QSvgRenderer:
    text = (ICONS / f"{name}.svg").read_text(encoding="utf-8").replace("currentColor", colour)
    return QSvgRenderer(QByteArray(text.encode()))


def _drawn(renderer: QSvgRenderer, size: int) -> QPixmap:
    made = QPixmap(size, size)
    made.fill(Qt.GlobalColor.transparent)
    painter = QPainter(made)
    renderer.render(painter, QRectF(0, 0, size, size))
    painter.end()
    return made
