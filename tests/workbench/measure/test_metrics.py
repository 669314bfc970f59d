"""Metrics of plugins, each in its own process: what they find, and what becomes of those that can't."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from tests.fixtures.children import children_running
from workbench.engines.request import LoadOptions
from workbench.measure.card import Figure
from workbench.measure.metric_wire import Declared, Order
from workbench.measure.metrics import MetricError, measure_metric
from workbench.plugin.testing import tiny_model

_PLUGINS = Path(__file__).parents[2] / "fixtures" / "plugins"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model("gguf", tmp_path_factory.mktemp("model"))


def _order(model: Path, name: str, plugin: str = "file:figures.py") -> Order:
    return Order(
        plugin=plugin,
        name=name,
        folders=(str(_PLUGINS),),
        options=LoadOptions(path=str(model), format="gguf", context=256, threads=1),
        prompts=("Hi", "Why?", "What comes after 2?"),
        text="",
        seed=0,
        threads=1,
    )


def test_figure_comes_with_what_the_metric_says_of_itself(model: Path) -> None:
    said: list[Declared] = []

    found = measure_metric(_order(model, "answer-length"), declared=said.append)

    assert found.figure.n == 3 and 0 <= found.figure.value <= 4
    assert said == [found.declared]
    assert (found.declared.title, found.declared.unit, found.declared.better) == (
        "Length of answers",
        "tokens",
        "neither",
    )


def test_number_of_numpy_is_a_figure_and_what_is_printed_none(model: Path) -> None:
    assert measure_metric(_order(model, "vocabulary")).figure == Figure(value=308.0)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("raises", "RuntimeError: no\nidea!!!"),
        ("hangs", "it told nothing for 0.5 seconds"),
        ("dies", "its process ended. It ended with exit code 7"),
        ("unknown", "offers no metric “unknown”"),
    ],
)
def test_metric_that_fails_says_why(model: Path, name: str, reason: str) -> None:
    with pytest.raises(MetricError) as caught:
        measure_metric(_order(model, name))

    assert reason in caught.value.message
    if name in ("raises", "dies"):
        assert {"raises": "figures.py", "dies": "last words"}[name] in caught.value.details
    assert _measuring() == []


def test_cancelled_metric_is_ended(model: Path) -> None:
    def cancel(share: float) -> None:
        if share:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure_metric(_order(model, "goes-on"), cancel)

    assert _measuring() == []


def _measuring() -> list[psutil.Process]:
    return children_running("workbench.measure.metric_process")
