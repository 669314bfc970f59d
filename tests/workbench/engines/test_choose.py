"""Which engine is chosen, and what is said of options that exclude each other."""

from __future__ import annotations

import pytest

from workbench.engines import choose
from workbench.engines.choose import choose_engine, conflicts
from workbench.engines.request import DraftOptions, LoadOptions
from workbench.errors import MissingExtraError, UsageError

NGRAM = DraftOptions(kind="ngram")


@pytest.mark.parametrize(("format", "engine"), [("gguf", "llama.cpp"), ("mlx", "mlx"), ("hf", "torch")])
def test_format_decides(format: str, engine: str) -> None:
    assert choose_engine(LoadOptions(path="m", format=format)) == engine


def test_a_wish_is_followed_where_it_can_be() -> None:
    assert choose_engine(LoadOptions(path="m", format="hf", engine="mlx")) == "mlx"
    assert choose_engine(LoadOptions(path="m", format="hf"), ["mlx"]) == "mlx"
    with pytest.raises(UsageError, match="GGUF form can't be loaded beside this model with torch or mlx"):
        choose_engine(LoadOptions(path="m", format="hf"), ["gguf"])
    with pytest.raises(UsageError, match="is an adapter"):
        choose_engine(LoadOptions(path="m", format="adapter"))
    with pytest.raises(UsageError, match="torch can't run a model in gguf form"):
        choose_engine(LoadOptions(path="m", format="gguf", engine="torch"))


def test_missing_extra_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choose, "find_spec", lambda name: None)

    with pytest.raises(MissingExtraError, match=r'pip install "tenfold\[llama\]"'):
        choose_engine(LoadOptions(path="m", format="gguf"))


@pytest.mark.parametrize(
    ("options", "engine", "named", "fatal"),
    [
        ({"kv_type": "q8_0", "flash_attention": False}, "llama.cpp", ("KV cache", "flash attention"), True),
        ({"draft": NGRAM, "parallel": 16}, "llama.cpp", ("draft", "parallel"), False),
        ({"draft": NGRAM, "parallel": 4}, "mlx", ("draft", "parallel"), False),
        ({"kv_type": "q4_0", "parallel": 2}, "mlx", ("KV cache", "parallel"), False),
        ({"kv_type": "q8_0"}, "torch", ("KV cache",), False),
        ({"weights": "4-bit"}, "llama.cpp", ("weights",), True),
        ({"embeddings": True, "draft": NGRAM}, "llama.cpp", ("embeddings", "draft"), False),
    ],
)
def test_conflicts_are_said_with_a_proposal(
    options: dict[str, object], engine: str, named: tuple[str, ...], fatal: bool
) -> None:
    found = conflicts(LoadOptions(path="m", format="gguf", **options), engine)

    assert [(each.options, each.fatal) for each in found] == [(named, fatal)]
    assert found[0].proposal


def test_plain_loading_has_no_conflicts() -> None:
    for engine in ("llama.cpp", "mlx", "torch"):
        assert conflicts(LoadOptions(path="m", format="hf", parallel=1), engine) == ()
