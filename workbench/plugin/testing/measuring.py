"""Runs a metric in the process of a test, on a real model, and judges what it returns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from workbench.engines.load import open_engine
from workbench.engines.request import LoadOptions
from workbench.errors import PluginError
from workbench.library.inspect import inspect
from workbench.measure.card import Figure
from workbench.measure.metric_context import MetricContext
from workbench.measure.metric_process import as_figure
from workbench.plugin.measuring import MetricMethod
from workbench.plugin.testing.tiny_models import tiny_model

#: Those that a metric is given where the test names none.
_PROMPTS = ("Why is the sea salty?", "Count to ten.", "What does `x += 1` do?")
_TEXT = "The quick brown fox jumps over the lazy dog. " * 40


def check_metric(
    function: Callable[[MetricContext], Any],
    *,
    folder: Path,
    model: Path | None = None,
    prompts: Sequence[str] = _PROMPTS,
    text: str = _TEXT,
    seed: int = 0,
) -> Figure:
    """Measure a model twice, each time loaded anew, and look whether the figure makes sense and is the same.

    Args:
        function: What `@metric` decorates.
        folder: A new folder, such as pytest's `tmp_path`.
        model: The model's file or folder; the tiny GGUF model where none is named.

    Returns:
        The figure: `value`, `error` and `n`.

    Raises:
        PluginError: It returned no figure, or another one the second time.
    """
    method: MetricMethod = function.__tenfold_metric__  # type: ignore[attr-defined]
    path = model if model is not None else tiny_model("gguf", folder / "tiny")
    options = LoadOptions(path=str(path), format=inspect(path).format, parallel=4, context=512, threads=1)
    found = []
    for _ in range(2):
        with closing(open_engine(options)) as engine:
            context = MetricContext(engine, prompts=prompts, text=text, seed=seed)
            found.append(as_figure(method.measure(context)))
    if found[0] != found[1]:
        one, other = (each.value for each in found)
        raise PluginError(
            f"The metric {method.name} found {one:g}, and then {other:g} on the same model.",
            remedy="Use context.seed for every random choice.",
        )
    return found[0]
