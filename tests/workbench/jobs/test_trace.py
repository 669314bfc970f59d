"""What a training run told, read from its events while they grow."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from workbench.jobs.events import EventLog, Metric, Progress, Sample
from workbench.jobs.trace import RunTrace, smoothed


def test_series_by_step_and_by_time_grow_with_the_events(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.jsonl")
    trace = RunTrace(tmp_path)
    log.append(Metric(10.0, "loss/train", 4.0, step=1))
    log.append(Metric(10.5, "throughput", 90.0, unit="tokens/s"))
    log.append(Progress(10.6, 1, 8, "steps"))
    log.append(Progress(10.7, 3, 4, "examples", "proof"))

    assert trace.append_new()
    log.append(Metric(11.0, "loss/train", 3.0, step=2))
    assert trace.append_new()
    assert not trace.append_new()
    log.close()

    steps, losses = trace.by_step("loss/train")
    assert (steps.tolist(), losses.tolist()) == ([1, 2], [4, 3])
    assert trace.by_time("throughput")[1].tolist() == [90]
    assert trace.timed() == {"throughput": "tokens/s"}
    assert trace.last("loss/train") == 3
    assert trace.steps == (1, 8)
    assert trace.last("loss/held-out") is None
    assert len(trace.by_step("loss/held-out")[0]) == 0


def test_steps_that_are_done_again_after_a_kill_replace_the_first_ones(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.jsonl")
    for step, value in ((1, 4.0), (2, 3.0), (3, 2.9), (2, 3.5), (3, 3.1)):
        log.append(Metric(step, "loss/train", value, step=step))
        log.append(Sample(step, step, "capital?", f"answer {value}"))
    log.close()
    trace = RunTrace(tmp_path)
    trace.append_new()

    steps, losses = trace.by_step("loss/train")

    assert (steps.tolist(), losses.tolist()) == ([1, 2, 3], [4, 3.5, 3.1])
    assert [each.text for each in trace.samples()] == ["answer 4.0", "answer 3.5", "answer 3.1"]


def test_answers_are_in_the_order_of_their_steps(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.jsonl")
    for step in (0, 5):
        for prompt in ("b", "a"):
            log.append(Sample(1.0, step, prompt, "x", expected="y"))
    log.close()
    trace = RunTrace(tmp_path)
    trace.append_new()

    assert [(each.step, each.prompt) for each in trace.samples()] == [(0, "b"), (0, "a"), (5, "b"), (5, "a")]


def test_a_running_mean_follows_the_values_without_beginning_at_zero() -> None:
    values = np.concatenate([np.full(50, 4.0), np.full(200, 1.0)])

    found = smoothed(values, 20)

    assert found.shape == values.shape
    assert np.allclose(found[:50], 4)
    assert abs(found[-1] - 1) < 0.01
    assert np.all(np.diff(found[49:]) <= 0)
