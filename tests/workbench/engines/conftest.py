"""What the tests of the engines share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from workbench.engines.base import Engine
from workbench.engines.load import open_engine
from workbench.engines.request import GREEDY, LoadOptions, Request, Sampling
from workbench.engines.wire import Delta, Emission, Failed, Finished


class Run:
    """Drives an engine and keeps what comes out of it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.events: list[Emission] = []

    def add(self, id: str, prompt: tuple[int, ...] | str, **more: Any) -> None:
        """Add a request; fields of `Sampling` and of `Request` may be given."""
        fields = set(Sampling.__struct_fields__)
        sampling = {name: value for name, value in more.items() if name in fields}
        rest = {name: value for name, value in more.items() if name not in fields}
        given = {"prompt": prompt} if isinstance(prompt, str) else {"tokens": prompt}
        sampling.setdefault("max_tokens", 16)
        sampling.setdefault("ignore_end", True)
        asked = msgspec.structs.replace(GREEDY, **sampling)
        self.engine.add(Request(id=id, sampling=asked, **given, **rest))

    def to_end(self) -> None:
        while self.engine.active or self.engine.waiting:
            self.events += self.engine.step()

    def tokens(self, id: str) -> list[int]:
        return [
            token
            for each in self.events
            if isinstance(each, Delta) and each.id == id
            for token in each.tokens
        ]

    def text(self, id: str) -> str:
        return "".join(each.text for each in self.events if isinstance(each, Delta) and each.id == id)

    def end(self, id: str) -> Finished:
        return next(each for each in self.events if isinstance(each, Finished) and each.id == id)

    def failure(self, id: str) -> Failed:
        return next(each for each in self.events if isinstance(each, Failed) and each.id == id)

    def answer(self, id: str, prompt: tuple[int, ...] | str, **more: Any) -> list[int]:
        """Add one, run to the end, and give its tokens."""
        self.add(id, prompt, **more)
        self.to_end()
        return self.tokens(id)


Open = Callable[..., Run]


@pytest.fixture
def opened() -> Iterator[Open]:
    """Opens engines and closes them afterwards: `opened(path, "gguf", parallel=2)`."""
    engines: list[Engine] = []

    def open_one(path: Path, format: str = "gguf", **options: Any) -> Run:
        options.setdefault("context", 256)
        options.setdefault("threads", 1)
        engine = open_engine(LoadOptions(path=str(path), format=format, **options))
        engines.append(engine)
        return Run(engine)

    yield open_one
    for engine in engines:
        engine.close()


@pytest.fixture(scope="session")
def exact_hf(tiny_hf: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model in float32.

    In bf16 its random logits lie so close together that a batch, which rounds differently from a single row,
    often tips a tie; in float32 what should be identical is.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = tmp_path_factory.mktemp("exact")
    AutoModelForCausalLM.from_pretrained(tiny_hf, dtype="float32").save_pretrained(folder)
    AutoTokenizer.from_pretrained(tiny_hf).save_pretrained(folder)
    return folder
