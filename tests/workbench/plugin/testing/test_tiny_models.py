"""The models that the kit makes: whole, the same in every format, and understood by the real engines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from workbench.engines.load import open_engine
from workbench.engines.request import LoadOptions
from workbench.library.inspect import inspect
from workbench.model import ModelFormat
from workbench.plugin.testing import tiny_model

_TEXT = "What comes after the number? Seven ≠ 8."


@pytest.mark.parametrize("format", ["gguf", "hf", "mlx", "adapter"])
def test_library_knows_each_format_and_making_it_again_gives_the_same_bytes(
    format: ModelFormat, tmp_path: Path
) -> None:
    one, other = tiny_model(format, tmp_path / "one"), tiny_model(format, tmp_path / "other")

    assert inspect(one).format == format
    assert _content(one) == _content(other)


def test_every_engine_predicts_the_same_from_its_format(tmp_path: Path) -> None:
    tokens, logits = _predictions("hf", tmp_path / "hf")

    assert len(set(logits.argmax(axis=1))) > 5  # a model whose answers depend on what it reads
    formats: tuple[ModelFormat, ...] = ("gguf", "mlx")
    for format in formats:
        others, predicted = _predictions(format, tmp_path / format)
        assert others == tokens
        # GGUF holds it in F16.
        np.testing.assert_allclose(predicted, logits, atol=0.02 if format == "gguf" else 1e-4)


def _predictions(format: ModelFormat, folder: Path) -> tuple[list[int], np.ndarray]:
    engine = open_engine(LoadOptions(path=str(tiny_model(format, folder)), format=format, context=128))
    try:
        tokens = engine.tokenizer.encode(_TEXT, begin=True)
        return tokens, np.array(engine.logits(tokens))
    finally:
        engine.close()


def _content(path: Path) -> dict[str, bytes]:
    files = [path] if path.is_file() else sorted(path.iterdir())
    return {each.name: each.read_bytes() for each in files}
