"""What the tests of measurements share."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from tests.workbench.measure.small_gguf import convert
from workbench.engines.base import Engine
from workbench.engines.load import open_engine
from workbench.engines.request import LoadOptions

Weights = NDArray[np.float32]
Load = Callable[..., Engine]


@pytest.fixture
def load() -> Iterator[Load]:
    """Loads models and closes them afterwards: `load(path, "gguf", context=512)`."""
    engines: list[Engine] = []

    def load_one(path: Path, format: str = "gguf", **options: Any) -> Engine:
        options = {"context": 512, "parallel": 1, "threads": 1, **options}
        engine = open_engine(LoadOptions(path=str(path), format=format, **options))
        engines.append(engine)
        return engine

    yield load_one
    for engine in engines:
        engine.close()


@pytest.fixture(scope="session")
def changed_hf(small_hf: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small model with noise on its weights, as quantizing puts some there."""
    random = np.random.default_rng(1)
    return copy_of(
        small_hf,
        tmp_path_factory.mktemp("changed"),
        lambda weight: weight + random.normal(0, 0.02, weight.shape).astype(np.float32),
    )


@pytest.fixture(scope="session")
def small_gguf(small_hf: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small model as an F16 GGUF file. Read-only."""
    return convert(small_hf, tmp_path_factory.mktemp("small") / "small-F16.gguf")


def copy_of(model: Path, folder: Path, change: Callable[[Weights], Weights]) -> Path:
    shutil.copytree(model, folder, dirs_exist_ok=True)
    weights = {name: change(weight) for name, weight in load_file(model / "model.safetensors").items()}
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    return folder
