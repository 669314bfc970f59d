"""What the tests of measurements share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from workbench.engines.base import Engine
from workbench.engines.load import open_engine
from workbench.engines.request import LoadOptions

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
