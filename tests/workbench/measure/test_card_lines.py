"""How the figures of plugins are told: with their errors, and whether they differ by more than chance."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.workbench.measure.cards import metrics
from workbench.measure.card import Better, Figure
from workbench.measure.card_lines import metric_line, metric_sentence


def test_sentence_names_both_figures_or_what_is_missing() -> None:
    both, missing = metrics()

    assert metric_sentence(both) == "Length of answers: 41 ± 3 against 40 ± 3 tokens"
    assert metric_sentence(replace(both, reference=None)) == "Length of answers: 41 ± 3 tokens"
    assert metric_sentence(missing) == "Loops: could not be measured: RuntimeError: no idea"
    half = replace(both, reference=None, problem="it told nothing for 300 seconds")
    assert metric_sentence(half).endswith(
        "tokens; of the reference it could not be measured: it told nothing for 300 seconds"
    )


@pytest.mark.parametrize(
    ("better", "value", "said"),
    [
        ("lower", 30.0, "Lower is better. It is better."),
        ("lower", 50.0, "Lower is better. It is worse."),
        ("higher", 50.0, "Higher is better. It is better."),
        ("neither", 50.0, "They differ."),
        ("neither", 42.0, "No difference shown."),
    ],
)
def test_difference_is_told_where_it_is_more_than_chance(better: Better, value: float, said: str) -> None:
    metric = replace(
        metrics()[0],
        better=better,
        figure=Figure(value=value, error=1.0),
        reference=Figure(value=40.0, error=1.0),
    )

    assert metric_line(metric).meaning == said


def test_difference_of_figures_without_errors_is_not_judged() -> None:
    metric = replace(metrics()[0], figure=Figure(value=1.0), reference=Figure(value=2.0))

    assert metric_line(metric).meaning == ""
