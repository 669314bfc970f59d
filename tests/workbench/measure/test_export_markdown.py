"""The Markdown of a card: a table that stays one whatever the names are."""

from __future__ import annotations

from msgspec.structs import replace

from tests.workbench.measure import cards
from tests.workbench.measure.hostile import HOSTILE
from workbench.measure.card import ParityCheck, sealed
from workbench.measure.export_markdown import markdown, plain


def test_markdown_tells_the_headline_the_figures_and_the_conditions() -> None:
    card = cards.card("Q4_K_M")

    text = markdown(card)

    assert "**1.6× faster, 61 % smaller, KL 0.041: close to the original**" in text
    assert "| KL divergence, mean | 0.041 ± 0.001 |  |" in text
    assert "| one answer, after 64 tokens | 167 tokens/s | 107 tokens/s |" in text
    assert "| General knowledge | 83 of 120 | 84 of 120 |" in text
    assert "llama.cpp 0.3.36 on CPU" in text
    assert sealed(card).seal in text


def test_figures_of_plugins_are_rows_and_what_is_missing_says_why() -> None:
    text = markdown(replace(cards.card("Q4_K_M"), metrics=cards.metrics()))

    assert "| Length of answers | 41 ± 3 tokens | 40 ± 3 tokens |" in text
    assert "\n- Loops: could not be measured: RuntimeError: no idea\n" in text


def test_hostile_names_break_neither_table_nor_line() -> None:
    card = cards.card("Q4_K_M")
    plain_lines = markdown(replace(card, metrics=cards.metrics()[:1])).splitlines()
    card = replace(
        card,
        subject=replace(card.subject, name=HOSTILE),
        tasks=(replace(card.tasks[0], name=HOSTILE),),
        metrics=(replace(cards.metrics()[0], title=HOSTILE, unit=HOSTILE),),
        conditions=replace(card.conditions, machine=HOSTILE),
    )

    text = markdown(card)

    assert len(text.splitlines()) == len(plain_lines)
    assert "\x00" not in text
    assert "\u202e" not in text
    assert "<script>" not in text.replace("\\<", "")
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {row.replace("\\|", "").count("|") for row in rows} == {4}


def test_failed_check_is_told() -> None:
    failed = ParityCheck(name="tokenizer", result="failed", finding="3 tokens differ.", stage="Merge")

    text = markdown(replace(cards.card("Q8_0"), parity=(failed,)))

    assert "**Broken by Merge: tokenizer**" in text
    assert "- tokenizer: failed (3 tokens differ.)" in text


def test_text_that_would_begin_a_list_or_a_link_is_only_text() -> None:
    assert plain("# big") == "\\# big"
    assert plain("see https://x.test") == "see https\\://x.test"
