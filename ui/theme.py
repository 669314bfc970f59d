"""The colours and the font of the window, light and dark, and the switch between them."""

from __future__ import annotations

import sys
from typing import Literal, get_args

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QColor, QFont, QFontDatabase, QFontInfo, QGuiApplication, QPalette
from PySide6.QtWidgets import QApplication, QStyleFactory

from ui.assets import FONTS
from ui.style_sheet import style_sheet
from ui.tokens import DARK, LIGHT, Tokens

__all__ = ["DARK", "LIGHT", "PLOT_COLOURS", "Mode", "Theme", "Tokens", "interface_font", "palette"]

Mode = Literal["system", "light", "dark"]

#: Okabe and Ito's colours that tell apart on both grounds, whatever eyes see them (jfly.uni-koeln.de/color).
PLOT_COLOURS = ("#56B4E9", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#0072B2", "#F0E442")


#: What a desktop names when nobody chose an interface font.
_NO_CHOICE = frozenset(
    {"", "sans", "sans serif", "sans-serif", "helvetica", "arial", "dejavu sans", "bitstream vera sans"}
    | {"liberation sans", "nimbus sans", "freesans", "noto sans"}
)


class Theme(QObject):
    """Says which colours hold now.

    Signals:
        changed: The colours are others now.
    """

    changed = Signal()

    def __init__(self, mode: Mode = "system", parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._mode: Mode = mode
        self._app: QApplication | None = None
        hints = QGuiApplication.styleHints()
        if hints is not None:
            hints.colorSchemeChanged.connect(self._follow_system)
        self._tokens = self._wanted()

    @property
    def tokens(self) -> Tokens:
        return self._tokens

    @property
    def mode(self) -> Mode:
        return self._mode

    def set_mode(self, mode: Mode) -> None:
        """Follow the system, or be light or dark whatever the system is."""
        if mode not in get_args(Mode):
            raise ValueError(f"{mode!r} is no theme")
        self._mode = mode
        if self._app is not None:
            self._tell_system()
        self._follow_system()

    def apply(self, app: QApplication) -> None:
        """Dress an application: style, font, palette, style sheet; and again whenever the colours change."""
        self._app = app
        app.setStyle(QStyleFactory.create("Fusion"))
        app.setFont(interface_font())
        self._tell_system()
        self._tokens = self._wanted()
        self._dress(app)

    def _follow_system(self) -> None:
        wanted = self._wanted()
        if wanted == self._tokens:
            return
        self._tokens = wanted
        if self._app is not None:
            self._dress(self._app)
        self.changed.emit()

    def _wanted(self) -> Tokens:
        if self._mode != "system":
            return DARK if self._mode == "dark" else LIGHT
        hints = QGuiApplication.styleHints()
        if hints is None:
            return LIGHT
        return DARK if hints.colorScheme() == Qt.ColorScheme.Dark else LIGHT

    def _tell_system(self) -> None:
        """Have title bars and the system's own dialogs take the same side."""
        hints = QGuiApplication.styleHints()
        if self._mode == "system":
            hints.unsetColorScheme()
        else:
            hints.setColorScheme(Qt.ColorScheme.Dark if self._mode == "dark" else Qt.ColorScheme.Light)

    def _dress(self, app: QApplication) -> None:
        app.setPalette(palette(self._tokens))
        app.setStyleSheet(style_sheet(self._tokens))


def palette(tokens: Tokens) -> QPalette:
    """The colours as Qt's own roles, for all that the style sheet does not reach."""
    made = QPalette()
    roles = {
        QPalette.ColorRole.Window: tokens.window,
        QPalette.ColorRole.WindowText: tokens.text,
        QPalette.ColorRole.Base: tokens.card,
        QPalette.ColorRole.AlternateBase: tokens.raised,
        QPalette.ColorRole.ToolTipBase: tokens.raised,
        QPalette.ColorRole.ToolTipText: tokens.text,
        QPalette.ColorRole.PlaceholderText: tokens.second,
        QPalette.ColorRole.Text: tokens.text,
        QPalette.ColorRole.Button: tokens.raised,
        QPalette.ColorRole.ButtonText: tokens.text,
        QPalette.ColorRole.BrightText: tokens.bad,
        QPalette.ColorRole.Highlight: tokens.accent,
        QPalette.ColorRole.HighlightedText: tokens.on_accent,
        QPalette.ColorRole.Accent: tokens.accent,
        QPalette.ColorRole.Link: tokens.accent,
        QPalette.ColorRole.LinkVisited: tokens.accent,
        QPalette.ColorRole.Light: tokens.raised,
        QPalette.ColorRole.Midlight: tokens.raised,
        QPalette.ColorRole.Mid: tokens.line,
        QPalette.ColorRole.Dark: tokens.line,
        QPalette.ColorRole.Shadow: tokens.rail,
    }
    for role, colour in roles.items():
        made.setColor(role, QColor(colour))
    for role in (QPalette.ColorRole.WindowText, QPalette.ColorRole.Text, QPalette.ColorRole.ButtonText):
        made.setColor(QPalette.ColorGroup.Disabled, role, QColor(tokens.faint))
    made.setColor(QPalette.ColorGroup.Disabled, QPalette.ColorRole.Accent, QColor(tokens.faint))
    return made


def interface_font() -> QFont:
    """The system's interface font at 13 pixels with figures of one width; Inter where it has none."""
    font = QFontDatabase.systemFont(QFontDatabase.SystemFont.GeneralFont)
    if sys.platform not in ("darwin", "win32") and QFontInfo(font).family().casefold() in _NO_CHOICE:
        font = QFont(_inter())
    font.setPixelSize(13)
    font.setFeature(QFont.Tag("tnum"), 1)
    return font


def _inter() -> str:
    """The name of Inter, from the system where it is installed, else from the package."""
    if "Inter" not in QFontDatabase.families():
        for file in sorted(FONTS.glob("*.otf")):
            QFontDatabase.addApplicationFont(str(file))
    return "Inter"
