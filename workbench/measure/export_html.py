"""A proof card as one page that asks nothing of anybody: no script, no font, no picture from elsewhere."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

from workbench.measure.card import Card, Example, encode, sealed
from workbench.measure.card_lines import (
    Line,
    condition_lines,
    main_lines,
    memory_lines,
    quality_lines,
    speed_lines,
    task_line,
)
from workbench.measure.card_plots import decode_by_batch, divergence_histogram, gap_histogram, memory_bars
from workbench.measure.card_shapes import Picture
from workbench.measure.export_style import STYLE
from workbench.measure.export_svg import svg
from workbench.measure.grade import TONES, failed_checks, grade, headline

_PLOT = (420.0, 150.0)
_LEGEND = (
    '<p class="legend"><span class="model">■</span> this model '
    '<span class="reference">●</span> what it was compared with</p>'
)
#: Signs that XML knows no way to write.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def page(card: Card) -> str:
    """The page. Whatever a card holds (names, answers) is shown as text, and can't become markup."""
    card = sealed(card)
    name = _text(card.subject.name)
    body = "\n".join(
        part for part in (_head(card), _figures(card), _plots(card), _tables(card), _end(card)) if part
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"/>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<title>Proof of {name}</title>
<style>{STYLE}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""


def _head(card: Card) -> str:
    said = grade(card)
    tone = TONES[said] if said else "plain"
    other = card.reference.name if card.reference is not None else ""
    against = f" · compared with <bdi>{_text(other)}</bdi>" if other else ""
    date = condition_lines(card.conditions)[0].value
    parts = [
        "<header>",
        f"<h1><bdi>{_text(card.subject.name)}</bdi></h1>",
        f'<p class="second">Proof by Tenfold{against} · {_text(date)}</p>',
        f'<p class="headline {tone}">{_text(_capital(headline(card)))}</p>',
    ]
    parts += [
        f'<p class="fault"><b>{_text(_capital(each.name))}.</b> {_text(each.finding)}</p>'
        for each in failed_checks(card)
    ]
    return "\n".join([*parts, "</header>"])


def _figures(card: Card) -> str:
    rows = "\n".join(
        f"<div><dt>{_text(line.label)}</dt><dd>{_text(line.change)}</dd>"
        f'<dd class="second">{_text(line.meaning)}</dd></div>'
        for line in main_lines(card)
    )
    return f'<dl class="main">{rows}</dl>' if rows else ""


def _plots(card: Card) -> str:
    made: list[tuple[str, str, Picture | None]] = []
    if card.quality is not None:
        picture = divergence_histogram(card.quality.histogram, *_PLOT)
        made.append(("Where it differs", "KL divergence of a token, in nats", picture))
    if card.speed is not None:
        decode = decode_by_batch(card.speed, card.reference_speed, *_PLOT)
        made.append(("Decode speed", "tokens/s by the number of answers at once", decode))
        made.append(("Time between two tokens", "of one answer", gap_histogram(card.speed, *_PLOT)))
    if card.memory is not None:
        bars = memory_bars(card.memory, card.reference_memory, _PLOT[0])
        made.append(("Memory", "at its peak; the stroke ends the weights", bars))
    figures = "".join(
        f'<figure><figcaption>{title} <span class="second">{what}</span></figcaption>{svg(picture)}</figure>'
        for title, what, picture in made
        if picture is not None
    )
    if not figures:
        return ""
    return f'<section class="plots">{figures}</section>\n{_LEGEND if card.reference is not None else ""}'


def _tables(card: Card) -> str:
    parts = []
    if card.quality is not None:
        parts.append(_section("Distance", _table(quality_lines(card.quality)), unfolded=True))
    parts.append(_section("Tasks", _table([task_line(each) for each in card.tasks]), unfolded=True))
    parts.append(_section("Speed", _table(speed_lines(card))))
    parts.append(_section("Memory", _table(memory_lines(card))))
    checks = [Line(each.name, each.result, each.stage, each.finding) for each in card.parity]
    parts.append(_section("Parity checks", _table(checks, ("", "result", "stage", "")), unfolded=True))
    parts.append(_section("Where the two differ most", "".join(_example(each) for each in card.examples)))
    return "\n".join(part for part in parts if part)


def _end(card: Card) -> str:
    models = [Line("model", card.subject.name), Line("sha256 of the model", card.subject.sha256)]
    if card.reference is not None:
        models += [
            Line("reference", card.reference.name),
            Line("sha256 of the reference", card.reference.sha256),
        ]
    seal = Line(
        "seal of this card",
        card.seal,
        "",
        "SHA-256 of the JSON below without its seal, keys sorted, no spaces.",
    )
    conditions = _table([*condition_lines(card.conditions), *models, seal], ("", "", "", ""))
    document = f"<pre>{_text(encode(card).decode())}</pre>"
    return (
        _section("Conditions", f'<div class="long">{conditions}</div>')
        + "\n"
        + _section("The card as JSON", document)
    )


def _example(example: Example) -> str:
    return (
        f'<article><p class="prompt">{_text(example.prompt)}</p><div class="pair">'
        f"<div><h3>reference</h3><p>{_text(example.reference)}</p></div>"
        f"<div><h3>this model</h3><p>{_text(example.candidate)}</p></div></div>"
        f'<p class="second">mean KL divergence over the answer: {example.mean_kld:.3g}</p></article>'
    )


def _section(title: str, content: str, *, unfolded: bool = False) -> str:
    if not content:
        return ""
    state = ' open="open"' if unfolded else ""
    return f"<details{state}><summary>{title}</summary>{content}</details>"


def _table(lines: Sequence[Line], head: Sequence[str] = ("", "this model", "reference", "")) -> str:
    if not lines:
        return ""
    titles = "".join(f'<th scope="col">{_text(each)}</th>' for each in head)
    top = f"<thead><tr>{titles}</tr></thead>" if any(head) else ""
    return f"<table>{top}<tbody>{''.join(_row(line) for line in lines)}</tbody></table>"


def _row(line: Line) -> str:
    cells = f"<td>{_text(line.value)}</td><td>{_text(line.reference)}</td>"
    meaning = f'<td class="second">{_text(line.meaning)}</td>'
    return f'<tr><th scope="row">{_text(line.label)}</th>{cells}{meaning}</tr>'


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _text(text: str) -> str:
    """Text that can stand in an element or an attribute."""
    return html.escape(_FORBIDDEN.sub("\ufffd", text))
