"""Where the window's fonts, icons and pictures lie."""

from __future__ import annotations

from pathlib import Path

FONTS = Path(__file__).parent / "fonts"
ICONS = Path(__file__).parent / "icons"
STYLE = Path(__file__).parent / "style"
