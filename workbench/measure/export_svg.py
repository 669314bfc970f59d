"""A card's small plot as an SVG element inside a page, whose style sheet colours it by class."""

from __future__ import annotations

import html

from workbench.measure.card_shapes import Bar, Dot, Label, Picture, Shape, Stroke

_DOT = 3.5


def svg(picture: Picture) -> str:
    """The element. Its classes are the shapes' roles; it needs no name space inside a page of HTML."""
    told = html.escape(picture.told)
    inside = "".join(_element(shape) for shape in picture.shapes)
    box = f"0 0 {picture.width:g} {picture.height:g}"
    return f'<svg role="img" aria-label="{told}" viewBox="{box}">{inside}</svg>'


def _element(shape: Shape) -> str:
    match shape:
        case Bar():
            return (
                f'<rect class="{shape.role}" x="{shape.x:.1f}" y="{shape.y:.1f}" width="{shape.width:.1f}" '
                f'height="{shape.height:.1f}" rx="{shape.radius:g}">{_tip(shape.tip)}</rect>'
            )
        case Stroke():
            points = " ".join(f"{x:.1f},{y:.1f}" for x, y in shape.points)
            dashes = ' stroke-dasharray="5 4"' if shape.dashed else ""
            return (
                f'<polyline class="{shape.role} stroke" points="{points}" '
                f'stroke-width="{shape.width:g}"{dashes}></polyline>'
            )
        case Dot() if shape.square:
            corner = f'x="{shape.x - _DOT:.1f}" y="{shape.y - _DOT:.1f}"'
            side = f'width="{2 * _DOT:g}" height="{2 * _DOT:g}"'
            return f'<rect class="{shape.role}" {corner} {side}>{_tip(shape.tip)}</rect>'
        case Dot():
            place = f'cx="{shape.x:.1f}" cy="{shape.y:.1f}" r="{_DOT:g}"'
            return f'<circle class="{shape.role}" {place}>{_tip(shape.tip)}</circle>'
        case Label():
            # 0.35 of a letter's height below its line's middle stands the baseline.
            place = f'x="{shape.x:.1f}" y="{shape.y + 4:.1f}" text-anchor="{shape.anchor}"'
            return f'<text class="{shape.role}" {place}>{html.escape(shape.text)}</text>'


def _tip(text: str) -> str:
    return f"<title>{html.escape(text)}</title>" if text else ""
