"""Mixed bits for MLX: within the size, nearer than few bits alone, and the same after a pause."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from plugins._fitting_text import FittingText
from plugins._mlx_quantizing import load_lazily
from plugins._mlx_sensitivity import Levels, layer_gains, quantizable
from workbench.engines.load import open_engine
from workbench.engines.request import LoadOptions
from workbench.errors import JobPaused
from workbench.jobs.context import WorkerContext
from workbench.jobs.events import Metric
from workbench.jobs.sink import EventSink
from workbench.jobs.stop_requests import Requests
from workbench.library.inspect import inspect
from workbench.measure.divergence import Divergence
from workbench.model import Model

TEXT = "What comes after the number? After it comes the number. yes no one two user assistant system. " * 12
#: Low, high and group of the tests; the small model's layers are 64 wide.
SETTINGS = {"low_bits": "2", "high_bits": "8", "group_size": "32", "width": 32, "windows": 3}


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


def _bits(folder: Path) -> list[int]:
    stated = json.loads((folder / "config.json").read_text(encoding="utf-8"))["quantization"]
    return [each["bits"] for each in stated.values() if isinstance(each, dict)]


def _kld(reference: Path, candidate: Path) -> float:
    tokens = list(range(20, 84))
    engines = [
        open_engine(LoadOptions(path=str(path), format=format, engine="mlx", context=128, parallel=1))
        for path, format in ((reference, "hf"), (candidate, "mlx"))
    ]
    found = Divergence()
    found.add(*(engine.logits(tokens).copy() for engine in engines))
    for engine in engines:
        engine.close()
    return found.distance().mean_kld


def test_result_keeps_to_the_size_and_is_nearer_than_low_bits_alone(
    small_hf: Path, text: Path, run_here: Callable[..., Any]
) -> None:
    low = run_here("mlx-quantize", small_hf, bits="2", group_size="32")

    mixed = run_here("mlx-mixed", small_hf, bits_per_weight=7.5, text=str(text), **SETTINGS)

    assert 6.5 < inspect(mixed.result).bits_per_weight <= 7.5
    assert set(_bits(mixed.result)) >= {8}
    assert _kld(small_hf, mixed.result) < 0.8 * _kld(small_hf, low.result)
    figures = {event.name: event.value for event in mixed.events if isinstance(event, Metric)}
    assert figures["expected_gain"] > 0
    assert figures["measured_kld"] > 0


def _never(problem: BaseException) -> Any:
    raise problem


@pytest.fixture
def measured(small_hf: Path, tmp_path: Path) -> Callable[..., tuple[dict[str, float], list[list[int]]]]:
    """Measures the small model's layers in this process, in a folder that may have been used before."""

    def measure(folder: str, cancelled_after: int | None = None) -> tuple[dict[str, float], list[list[int]]]:
        place = tmp_path / folder
        place.mkdir(exist_ok=True)
        model = Model(path=small_hf, name="small", facts=inspect(small_hf))
        loaded, tokenizer, _ = load_lazily(model)
        job = WorkerContext(
            folder=place,
            out=place,
            sink=EventSink(place / "events.jsonl"),
            requests=Requests(place),
            seed=0,
            threads=1,
            output_name="made",
            stop_now=_never,
        )
        report = job.progress

        def progress(done: float, total: float, *, unit: str = "", label: str = "") -> None:
            if done == cancelled_after:
                job.fail(JobPaused())
            report(done, total, unit=unit, label=label)

        job.progress = progress  # type: ignore[method-assign]
        text = FittingText("t", TEXT, "its hash")
        return layer_gains(job, model, loaded, tokenizer, text, Levels(2, 8, 32), width=32, windows=3)

    return measure


def test_gains_add_up_to_mlx_lms_own_estimate_also_after_a_pause(
    small_hf: Path, tmp_path: Path, measured: Callable[..., tuple[dict[str, float], list[list[int]]]]
) -> None:
    import mlx.core as mx
    from mlx_lm.quant.dynamic_quant import estimate_sensitivities
    from mlx_lm.utils import load_model

    gains, windows = measured("whole")
    with pytest.raises(JobPaused):
        measured("paused", cancelled_after=2)
    kept = json.loads((tmp_path / "paused" / "checkpoints" / "gains.json").read_text(encoding="utf-8"))
    resumed, _ = measured("paused")

    other, _ = load_model(small_hf)
    sizes = {name: each.weight.size for name, each in quantizable(other).items()}
    own = estimate_sensitivities(other, mx.array(windows), 2, 32, 8, 32, batch_size=3)
    assert len(windows) == 3
    assert kept["windows"] == 2
    assert resumed == gains
    assert set(gains) == {name for name, _ in own}
    for name, each in own:
        assert gains[name] == pytest.approx(each * sizes[name] / 1e6, rel=1e-3, abs=1e-7)


def test_size_below_the_low_bits_is_refused(small_hf: Path, run_plugin: Callable[..., Any]) -> None:
    ran = run_plugin("mlx-mixed", small_hf, bits_per_weight=3.0, low_bits="4")

    assert ran.code == 2
    assert "4 bits for every layer" in ran.error.message
    assert "fewer low bits" in ran.error.remedy
