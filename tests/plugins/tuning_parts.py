"""Parts of a training for tests that look at one of them in this process."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from plugins._tuning_params import FinetuneParams
from workbench.data.sides import SideChoices, Sides, open_sides
from workbench.data.tokenizing import Recipe


class Job:
    """What a run needs of its job."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.checkpoints = folder / "checkpoints"
        self.logged: list[str] = []
        self.metrics: list[tuple[str, float, int | None]] = []
        self.pausing = False

    def log(self, text: str, **_more: Any) -> None:
        self.logged.append(text)

    def metric(self, name: str, value: float, *, step: int | None = None, **_more: Any) -> None:
        self.metrics.append((name, value, step))

    def series(self, name: str) -> list[float]:
        return [value for each, value, _step in self.metrics if each == name]

    def check(self) -> None:
        pass

    def run_native(self, call: Callable[[], Any]) -> Any:
        return call()

    def progress(self, *_figures: Any, **_more: Any) -> None:
        pass

    def throughput(self, *_figures: Any, **_more: Any) -> None:
        pass

    def sample(self, *_texts: Any, **_more: Any) -> None:
        pass


def answers(path: Path, count: int = 40) -> Path:
    """A file of prompts with answers of several lengths."""
    rows = [
        {
            "prompt": f"What comes after {at}?",
            "completion": f"After {at} comes " + "and then " * (at % 7) + "on.",
        }
        for at in range(count)
    ]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


def preferences(path: Path, count: int = 40) -> Path:
    """A file of preference pairs."""
    rows = [
        {"prompt": f"What comes after {at}?", "chosen": f"{at + 1} comes next.", "rejected": f"Not {at}, no."}
        for at in range(count)
    ]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


def sides(data: Path, model: Path, held_out: float = 0.2, longest: int = 128) -> Sides:
    """The two sides of a file, tokenized beside it."""
    recipe = Recipe(files=(str(data),), tokenizer=str(model))
    return open_sides(recipe, SideChoices(held_out=held_out, longest=longest), data.parent / "tokens")


def params(**values: Any) -> FinetuneParams:
    """Parameters of a run, those that are not named as they are by default."""
    return FinetuneParams(data=[Path("examples.jsonl")], **values)
