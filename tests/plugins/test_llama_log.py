"""Tests that listening to llama.cpp's log takes it from nobody for longer than it lasts."""

from __future__ import annotations

from pathlib import Path

import llama_cpp

from plugins._llama_log import LlamaLog
from workbench.engines.llama_library import llama_library


def _loaded_nothing(path: Path) -> None:
    """Have llama.cpp complain."""
    path.write_bytes(b"no model")
    found = llama_cpp.llama_model_load_from_file(str(path).encode(), llama_cpp.llama_model_default_params())
    assert not found


def test_who_listened_before_listens_again(tmp_path: Path) -> None:
    library = llama_library()
    with LlamaLog(llama_cpp, lambda *_tensor: None) as log:
        _loaded_nothing(tmp_path / "first.gguf")
    _loaded_nothing(tmp_path / "second.gguf")

    assert any("first.gguf" in line for line in log.lines)
    assert not library.find(r"first\.gguf")
    assert library.find(r"second\.gguf")


def test_listening_twice_over_ends_in_the_order_in_which_it_began(tmp_path: Path) -> None:
    library = llama_library()
    with LlamaLog(llama_cpp, lambda *_tensor: None) as outer:
        with LlamaLog(llama_cpp, lambda *_tensor: None):
            pass
        _loaded_nothing(tmp_path / "third.gguf")
    _loaded_nothing(tmp_path / "fourth.gguf")

    assert any("third.gguf" in line for line in outer.lines)
    assert library.find(r"fourth\.gguf")
