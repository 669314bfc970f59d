"""The colours of the window, named by what they are for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tokens:
    """The colours by what they are for. Text in `text`, `second` and the four tones reads on every ground
    with a contrast of 4.5 to 1 or more; `faint` is for what carries no meaning.

    Attributes:
        on_accent, on_bad: Text on a filled accent or bad ground.
    """

    window: str
    rail: str
    card: str
    raised: str
    line: str
    text: str
    second: str
    faint: str
    accent: str
    accent_soft: str
    good: str
    warn: str
    bad: str
    on_accent: str
    on_bad: str
    is_dark: bool


DARK = Tokens(
    window="#0F1217",
    rail="#0B0E12",
    card="#161B23",
    raised="#1D242E",
    line="#252D38",
    text="#E8ECF1",
    second="#98A3B1",
    faint="#64707F",
    accent="#6C8CFF",
    accent_soft="#1F2A4A",
    good="#46C29A",
    warn="#E3B04B",
    bad="#EC7063",
    on_accent="#0B0E12",
    on_bad="#0B0E12",
    is_dark=True,
)

# The accent and the three tones are a shade darker than the first sketch of them had it: as text on a
# raised ground that one came to 3.7 to 1.
LIGHT = Tokens(
    window="#F5F6F8",
    rail="#FFFFFF",
    card="#FFFFFF",
    raised="#EEF1F5",
    line="#DFE4EA",
    text="#141A21",
    second="#566273",
    faint="#8A95A3",
    accent="#3158EE",
    accent_soft="#E6ECFF",
    good="#0F7A57",
    warn="#8F5E05",
    bad="#B8362A",
    on_accent="#FFFFFF",
    on_bad="#FFFFFF",
    is_dark=False,
)
