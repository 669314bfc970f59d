"""The shapes that a card's small plots are made of, for whoever draws them: the window, or an exported page.

Shapes know what they stand for (`Role`), not their colours: these are the drawer's. Lengths are in pixels,
from the upper left corner.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: What a shape stands for: the model, what it was compared with, an axis, text, a ground.
Role = Literal["model", "reference", "axis", "text", "second", "ground"]
Anchor = Literal["start", "middle", "end"]


@dataclass(frozen=True, slots=True)
class Bar:
    """A filled rectangle; `tip` tells what it stands for."""

    x: float
    y: float
    width: float
    height: float
    role: Role
    tip: str = ""
    radius: float = 0.0


@dataclass(frozen=True, slots=True)
class Stroke:
    """A line through points."""

    points: tuple[tuple[float, float], ...]
    role: Role
    dashed: bool = False
    width: float = 1.0


@dataclass(frozen=True, slots=True)
class Dot:
    """A mark of a curve: a square or a circle, so that colour is never the only sign."""

    x: float
    y: float
    role: Role
    square: bool
    tip: str = ""


@dataclass(frozen=True, slots=True)
class Label:
    """Text; `y` is the middle of its line."""

    x: float
    y: float
    text: str
    anchor: Anchor = "start"
    role: Role = "second"


Shape = Bar | Stroke | Dot | Label


@dataclass(frozen=True, slots=True)
class Picture:
    """A plot of a size. `told` says the same in words, for who doesn't see it."""

    width: float
    height: float
    shapes: tuple[Shape, ...]
    told: str
