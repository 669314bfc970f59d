"""Declaring a metric: what it says of itself, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from workbench.errors import PluginError
from workbench.plugin import MetricContext, metric
from workbench.plugin.measuring import metrics_in


def _figure(context: MetricContext) -> float:
    """One.

    More of it.
    """
    return 1.0


def test_declaration_is_found_in_a_namespace_with_its_documentation() -> None:
    declared = metric("one", title="One", unit="%", better="lower")(_figure)

    (found,) = metrics_in({"a": declared, "b": 3, "c": str})

    assert (found.name, found.title, found.unit, found.better) == ("one", "One", "%", "lower")
    assert (found.summary, found.documentation) == ("One.", "One.\n\nMore of it.")


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"name": "Has:colon"}, "is no name of a metric"),
        ({"title": "two\nlines"}, "on one line"),
        ({"title": " "}, "no title"),
        ({"unit": "u" * 13}, "at most 12 signs"),
        ({"better": "more"}, "must say better"),
        ({"patience_s": 0.0}, "some time"),
    ],
)
def test_what_a_card_could_not_show_is_refused(changed: dict[str, Any], problem: str) -> None:
    values: dict[str, Any] = {"name": "one", "title": "One", **changed}
    with pytest.raises(PluginError, match=problem):
        metric(values.pop("name"), **values)(_figure)


def test_metric_without_docstring_or_with_other_arguments_is_refused() -> None:
    with pytest.raises(PluginError, match="no docstring"):
        metric("one", title="One")(lambda context: 1.0)

    def two(context: MetricContext, other: int) -> float:
        """Two arguments."""
        return 1.0

    with pytest.raises(PluginError, match="must take one argument"):
        metric("one", title="One")(two)  # type: ignore[arg-type]
