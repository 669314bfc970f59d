"""What a metric is given: answers in their order, a mean with its error, and progress to its end."""

from __future__ import annotations

import math
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from workbench.engines.load import open_engine
from workbench.engines.request import GREEDY, LoadOptions
from workbench.errors import PluginError
from workbench.measure.answers import greedy_answer, prompt_tokens
from workbench.measure.metric_context import MetricContext, MetricResult
from workbench.plugin import metric
from workbench.plugin.testing import check_metric, tiny_model

_PROMPTS = ("Hi", "What comes after the number 2?", "Why?", "Which?", "Who was it?")


def test_answers_are_those_that_the_model_gives_alone_in_the_order_of_the_prompts(tmp_path: Path) -> None:
    model = tiny_model("gguf", tmp_path)
    told: list[tuple[float, float]] = []
    with closing(open_engine(LoadOptions(path=str(model), format="gguf", parallel=1, context=256))) as engine:
        context = MetricContext(
            engine, prompts=_PROMPTS, text="", tell=lambda done, total: told.append((done, total))
        )

        found = context.answers(6)

        alone = [greedy_answer(engine, prompt_tokens(engine, each), 6).tokens for each in _PROMPTS]
        endless = context.answers(3, ["Hi"], sampling=msgspec.structs.replace(GREEDY, ignore_end=True))
    assert [each.prompt for each in found] == list(_PROMPTS)
    assert [each.tokens for each in found] == alone
    assert len(endless[0].tokens) == 3
    assert told[len(told) - 4][1] == 30 and told[-1] == (3, 3)


def test_work_that_is_stopped_leaves_nothing_under_way(tmp_path: Path) -> None:
    def stop(_done: float, _total: float) -> None:
        raise InterruptedError

    model = tiny_model("gguf", tmp_path)
    with closing(open_engine(LoadOptions(path=str(model), format="gguf", parallel=2, context=256))) as engine:
        with pytest.raises(InterruptedError):
            MetricContext(engine, prompts=_PROMPTS, text="", tell=stop).answers(6)

        assert engine.active == engine.waiting == 0


def test_mean_of_one_has_no_error_and_of_none_there_is_no_mean() -> None:
    assert MetricResult.mean([2.0]) == MetricResult(value=2.0, error=0.0, n=1)
    assert math.isclose(MetricResult.mean([0.0, 2.0]).error, 1.0)
    with pytest.raises(ValueError, match="nothing to take the mean of"):
        MetricResult.mean([])


def test_metric_that_finds_another_figure_each_time_is_told_by_the_kit(tmp_path: Path) -> None:
    calls: list[int] = []

    @metric("counts", title="Calls")
    def counts(_context: MetricContext) -> float:
        """How often it was called."""
        calls.append(1)
        return float(len(calls))

    with pytest.raises(PluginError, match="found 1, and then 2"):
        check_metric(counts, folder=tmp_path)
