"""Runs a shipped plugin in the tests' own process, which saves the imports of a worker, and small models."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from workbench.jobs.context import WorkerContext
from workbench.jobs.events import EventTail, Metric
from workbench.jobs.sink import EventSink
from workbench.jobs.stop_requests import Requests
from workbench.library.inspect import inspect
from workbench.model import Model


def _never(problem: BaseException) -> Any:
    raise problem


def job_in(
    folder: Path, *, seed: int = 0, watch: Callable[[str, float], None] | None = None
) -> WorkerContext:
    """A job in a folder that may have been used before, by a run that did not come to its end.

    Args:
        watch: Called with the label and the amount of each progress; what it raises ends the run.
    """
    out = folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    job = WorkerContext(
        folder=folder,
        out=out,
        sink=EventSink(folder / "events.jsonl"),
        requests=Requests(folder),
        seed=seed,
        threads=1,
        output_name="made",
        stop_now=_never,
    )
    report = job.progress

    def progress(done: float, total: float, *, unit: str = "", label: str = "") -> None:
        report(done, total, unit=unit, label=label)
        if watch is not None:
            watch(label or unit, done)

    job.progress = progress  # type: ignore[method-assign]
    return job


def model_at(folder: Path) -> Model:
    return Model(path=folder, name=folder.name, facts=inspect(folder))


def figures(folder: Path, name: str) -> dict[int | None, float]:
    """What a job reported of a series, by step."""
    events = EventTail(folder / "events.jsonl").read(1 << 26)
    return {each.step: each.value for each in events if isinstance(each, Metric) and each.name == name}


def save_model(
    folder: Path, config: Any, tokenizer_of: Path, *, idle: tuple[int, ...] = (), **how: Any
) -> Path:
    """A random model with another one's tokenizer, whose weights are large enough that each layer matters.

    Args:
        idle: Layers that hand on what they get, as their last matrices are nought.
        how: More for `save_pretrained`.
    """
    import torch
    from transformers import AutoModelForCausalLM

    torch.manual_seed(5)
    model = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() > 1:
                weight.normal_(0, 0.1)
            number = name.partition("layers.")[2].partition(".")[0]
            if (
                number.isdigit()
                and int(number) in idle
                and name.endswith(("o_proj.weight", "down_proj.weight"))
            ):
                weight.zero_()
    model.save_pretrained(folder, **how)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copyfile(tokenizer_of / name, folder / name)
    return folder


def predictions(folder: Path, ids: list[int]) -> Any:
    """A model's logits behind each token, as transformers computes them."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.inference_mode():
        return model(torch.tensor([ids])).logits[0]
