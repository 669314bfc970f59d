"""The exported page: it holds the whole card, asks nothing of anybody, and takes no text for markup."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from msgspec.structs import replace

from tests.workbench.measure import cards
from tests.workbench.measure.hostile import HOSTILE
from workbench.measure.card import Card, Histogram, ParityCheck, decode
from workbench.measure.export_html import page


def tree_of(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text.removeprefix("<!DOCTYPE html>\n"))  # noqa: S314 - the page is our own


def words_of(text: str) -> str:
    return " ".join("".join(tree_of(text).itertext()).split())


class _Tags(HTMLParser):
    """What a browser would find in a page: elements with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes += attrs


def bare() -> Card:
    """A card of speed alone."""
    return Card(
        subject=cards.subject("Q8_0"), conditions=cards.conditions(), speed=cards.speeds(150.0), seal=""
    )


def test_page_holds_every_part_of_the_card() -> None:
    said = words_of(page(replace(cards.card("Q4_K_M"), metrics=cards.metrics())))

    for part in (
        "SmolLM2-135M-Instruct-Q4_K_M",
        "1.6× faster, 61 % smaller, KL 0.041: close to the original",
        "0.041 ± 0.001",
        "95.9 ± 0.6 %",
        "General knowledge",
        "no difference shown",
        "chat template",
        "The dog sat.",
        "Length of answers40 ± 3 → 41 ± 3 tokensNo difference shown.",
        "Loopscould not be measuredRuntimeError: no idea.",
        "llama.cpp 0.3.36 on CPU",
    ):
        assert part in said
    assert len(tree_of(page(cards.card("Q4_K_M"))).findall(".//svg")) == 4


@pytest.mark.parametrize("made", [cards.card("Q2_K"), bare()], ids=["whole", "speed alone"])
def test_page_asks_nothing_of_anybody(made: Card) -> None:
    text = page(made)
    found = _Tags(text)

    assert not found.names & {"script", "link", "img", "iframe", "object", "embed", "base", "form", "a"}
    assert not {name for name, _ in found.attributes} & {"src", "href", "srcset", "action", "style"}
    assert not re.search(r"https?:|//|url\(|@import|@font-face", text.replace("default-src", ""))
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in found.attributes


def card_that_says(text: str) -> Card:
    """A card with this wherever text from elsewhere can stand."""
    card = cards.card("Q4_K_M")
    return replace(
        card,
        subject=replace(card.subject, name=text),
        reference=replace(card.reference, name=text),
        conditions=replace(card.conditions, machine=text, text=text, engine=text),
        tasks=(replace(card.tasks[0], name=text, verdict=text),),
        parity=(ParityCheck(name=text, result="failed", finding=text, stage=text),),
        examples=(replace(card.examples[0], prompt=text, reference=text, candidate=text),),
    )


def test_hostile_text_stays_text() -> None:
    text = page(card_that_says(HOSTILE))

    found, harmless = _Tags(text), _Tags(page(card_that_says("harmless")))
    assert found.names == harmless.names
    assert len(found.attributes) == len(harmless.attributes)
    assert "<script>alert(1)</script>" in words_of(text)


def test_page_carries_the_sealed_card_itself() -> None:
    text = "".join(tree_of(page(cards.card("Q4_K_M"))).find(".//pre").itertext())

    card = decode(text.encode())

    assert replace(card, seal="") == cards.card("Q4_K_M")


def test_red_card_names_the_stage_first() -> None:
    failed = ParityCheck(
        name="chat template", result="failed", finding="The template is gone.", stage="Convert to GGUF"
    )

    said = words_of(page(replace(cards.card("Q8_0"), parity=(failed,))))

    assert "Broken by Convert to GGUF: chat template" in said
    assert "The template is gone." in said


def test_degenerate_figures_are_drawn_as_nothing() -> None:
    card = cards.card("F16")
    none = Histogram(edges=(), counts=())
    zero = Histogram(edges=(0.0, 0.0), counts=(0,))
    unordered = Histogram(edges=(0.5, -1.0, 0.0, 9.0), counts=(1, -2, 3))

    for histogram in (none, zero, unordered):
        speed = replace(card.speed, gaps=histogram, decode=card.speed.decode[:1])
        odd = replace(card, quality=replace(card.quality, histogram=histogram), speed=speed)
        assert tree_of(page(odd)).find(".//svg") is not None
