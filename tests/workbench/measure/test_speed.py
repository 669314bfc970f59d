from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from workbench.engines.errors import EngineError
from workbench.measure.limits import Limits
from workbench.measure.speed import SpeedPlan, histogram_of_times, measure_speed
from workbench.measure.stopwatch import Stopwatch

SMALL = SpeedPlan(form="quick", batches=(1, 2), prompts=(8, 16), depths=(4, 12), budget_s=1.0)


class Ticks:
    """A clock on which the time between two looks comes from a list, over and over."""

    def __init__(self, *steps_s: float) -> None:
        self._steps: Iterator[float] = itertools.cycle(steps_s)
        self._now = 0.0

    def __call__(self) -> float:
        self._now += next(self._steps)
        return self._now


def test_every_figure_of_the_plan_is_measured(tiny_gguf: Path, load: Any) -> None:
    engine = load(tiny_gguf, parallel=2, context=SMALL.context)
    limits = Limits(bandwidth=1e9, arithmetic=1e10)
    seen: list[tuple[int, int]] = []

    found = measure_speed(
        engine,
        SMALL,
        limits,
        1_000_000,
        lambda done, total: seen.append((done, total)),
        parameters=400_000,
        prompt_parameters=300_000,
    )

    assert [each.tokens for each in found.prompt] == [8, 16]
    assert [(each.batch, each.tokens) for each in found.decode] == [(1, 4), (2, 4), (1, 12)]
    assert all(0 < each.low <= each.tokens_per_s <= each.high for each in (*found.prompt, *found.decode))
    assert found.first_token_prompt == 8
    assert 0 < found.first_token_s < 60
    assert 0 < found.gap_p50_s <= found.gap_p95_s <= found.gap_p99_s
    assert sum(found.gaps.counts) >= found.decode[0].runs * 4
    assert found.load_s == engine.report.load_s
    assert found.alone == found.decode[0]
    assert seen[0] == (0, 5)
    assert seen[-1] == (5, 5)
    assert engine.active == engine.waiting == 0
    one, two, _deep = found.decode
    assert one.share == pytest.approx(one.tokens_per_s * 1_000_000 / 1e9)
    assert two.share == pytest.approx(two.tokens_per_s * 2 * 400_000 / 1e10)
    assert found.prompt[0].share == pytest.approx(found.prompt[0].tokens_per_s * 2 * 300_000 / 1e10)


def test_steady_figures_take_six_runs_and_are_not_noisy(tiny_gguf: Path, load: Any) -> None:
    engine = load(tiny_gguf, parallel=2, context=SMALL.context)

    found = measure_speed(engine, replace(SMALL, budget_s=100.0), None, 0, clock=Ticks(0.001))

    assert {each.runs for each in (*found.prompt, *found.decode)} == {6}
    assert not any(each.noisy for each in (*found.prompt, *found.decode))
    assert all(each.share is None for each in (*found.prompt, *found.decode))
    # A step lies between two looks at this clock, and gives each answer a token.
    assert found.decode[0].tokens_per_s == pytest.approx(1000)
    assert found.decode[1].tokens_per_s == pytest.approx(2000)
    assert found.gap_p99_s == pytest.approx(0.001)


def test_unsteady_figures_are_repeated_until_the_time_is_over_and_called_noisy(
    tiny_gguf: Path, load: Any
) -> None:
    engine = load(tiny_gguf, parallel=1, context=SMALL.context)
    plan = SpeedPlan(form="quick", batches=(1,), prompts=(8,), depths=(4,), budget_s=1.0)

    found = measure_speed(engine, plan, None, 0, clock=Ticks(0.001, 0.002, 0.003, 0.009, 0.001, 0.004, 0.011))

    prompt = found.prompt[0]
    assert prompt.noisy
    assert prompt.runs > 6
    assert prompt.high - prompt.low > 0.1 * prompt.tokens_per_s


def test_slow_model_is_measured_once_for_each_figure(tiny_gguf: Path, load: Any) -> None:
    engine = load(tiny_gguf, parallel=2, context=SMALL.context)

    found = measure_speed(engine, SMALL, None, 0, clock=Ticks(10.0))

    assert {each.runs for each in (*found.prompt, *found.decode)} == {1}
    assert all(each.noisy for each in (*found.prompt, *found.decode))


def test_what_the_engine_has_no_room_for_is_left_out(tiny_gguf: Path, load: Any) -> None:
    engine = load(tiny_gguf, parallel=1, context=256)
    plan = SpeedPlan(form="quick", batches=(1, 4), prompts=(8, 300), depths=(4, 1000), budget_s=0.1)

    found = measure_speed(engine, plan, None, 0)

    assert [each.tokens for each in found.prompt] == [8]
    assert [(each.batch, each.tokens) for each in found.decode] == [(1, 4)]


def test_prompts_never_begin_alike_and_hold_no_control_tokens(tiny_gguf: Path, load: Any) -> None:
    engine = load(tiny_gguf)
    watch = Stopwatch(engine, seed=3)

    prompts = [watch.random_prompt(5) for _prompt in range(300)]

    assert len({each[0] for each in prompts}) == 300
    assert not any(engine.tokenizer.is_special(token) for each in prompts for token in each)
    assert prompts[0] == Stopwatch(engine, seed=3).random_prompt(5)
    assert prompts[0] != Stopwatch(engine, seed=4).random_prompt(5)


def test_timed_prompts_are_computed_whole(tiny_gguf: Path, load: Any) -> None:
    engine = load(tiny_gguf, parallel=2)
    watch = Stopwatch(engine, seed=0)
    before = engine.prompt_tokens_computed

    for _run in range(5):
        watch.prompt(40)

    assert engine.prompt_tokens_computed - before == 5 * 40


@pytest.mark.parametrize(("format", "engine"), [("gguf", None), ("hf", "torch"), ("hf", "mlx")])
def test_answers_side_by_side_get_a_token_in_each_step(
    tiny_gguf: Path, tiny_hf: Path, load: Any, format: str, engine: Any
) -> None:
    path = tiny_gguf if format == "gguf" else tiny_hf
    loaded = load(path, format, parallel=3, engine=engine)
    watch = Stopwatch(loaded, seed=0)
    prompts = [watch.random_prompt(6) for _row in range(3)]
    watch.read(prompts)

    for _run in range(2):
        found = watch.answers(prompts, 5)

        assert found.tokens == 15
        assert len(found.steps_s) == 5
    assert loaded.active == loaded.waiting == 0


def test_answers_without_room_are_an_error(tiny_gguf: Path, load: Any) -> None:
    engine = load(tiny_gguf, context=256)
    watch = Stopwatch(engine, seed=0)

    with pytest.raises(EngineError, match="no room"):
        watch.answers([watch.random_prompt(engine.report.context - 1)], 4)

    assert engine.active == 0


def test_what_progress_raises_ends_the_measurement(tiny_gguf: Path, load: Any) -> None:
    engine = load(tiny_gguf)

    def stop(done: int, _total: int) -> None:
        if done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure_speed(engine, SMALL, None, 0, stop, clock=Ticks(0.01))

    assert engine.active == engine.waiting == 0


def test_histograms_of_all_models_share_their_edges() -> None:
    slow, fast = histogram_of_times([0.02, 0.021, 0.05]), histogram_of_times([0.0201, 0.03])

    assert sum(slow.counts) == 3
    assert len(slow.edges) == len(slow.counts) + 1
    assert set(fast.edges) & set(slow.edges) == {each for each in fast.edges if each <= slow.edges[-1]}
    assert histogram_of_times([]).counts == ()
    assert sum(histogram_of_times([1e-9, 1e9]).counts) == 2


def test_plan_knows_what_it_needs_and_takes_what_is_given() -> None:
    plan = SpeedPlan.of("full", batches=(1, 3), budget_s=2.0, seed=9)

    assert (plan.batches, plan.budget_s, plan.seed, plan.form) == ((1, 3), 2.0, 9, "full")
    assert plan.parallel == 3
    assert plan.context > 1024
    assert SpeedPlan.of("quick").budget_s < SpeedPlan.of("full").budget_s
