"""Drafters of plugins: by name, in the real engine, and held at arm's length."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import pytest

from workbench.cli import main
from workbench.engines.load import open_engine
from workbench.engines.request import GREEDY, DraftOptions, LoadOptions, Request
from workbench.engines.wire import Delta, Finished
from workbench.errors import NotFoundError
from workbench.home import Home
from workbench.plugin.testing import tiny_model

_PLUGINS = Path(__file__).parents[2] / "fixtures" / "plugins"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model("gguf", tmp_path_factory.mktemp("model"))


def _answer(model: Path, draft: str | None) -> tuple[list[int], Finished]:
    options = (
        DraftOptions(kind="plugin", plugin="file:guess.py", name=draft, path=str(_PLUGINS)) if draft else None
    )
    engine = open_engine(LoadOptions(path=str(model), format="gguf", context=256, parallel=1, draft=options))
    sampling = msgspec.structs.replace(GREEDY, max_tokens=64, ignore_end=True)
    engine.add(Request(id="1", prompt="one two three one two three one two", sampling=sampling))
    events = []
    try:
        while engine.active or engine.waiting:
            events += engine.step()
    finally:
        engine.close()
    tokens = [token for each in events if isinstance(each, Delta) for token in each.tokens]
    return tokens, next(each for each in events if isinstance(each, Finished))


def test_guesses_of_a_plugin_are_used_and_change_no_token(model: Path) -> None:
    plain, _ = _answer(model, None)

    guessed, end = _answer(model, "repeat-period")

    assert guessed == plain
    assert end.figures.drafted > 0


@pytest.mark.parametrize("name", ["rubbish", "raises"])
def test_drafter_that_fails_costs_guesses_and_never_the_answer(
    model: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    plain, _ = _answer(model, None)

    guessed, end = _answer(model, name)

    assert guessed == plain
    assert end.figures.drafted == 0
    assert ("guesses no more" in capsys.readouterr().err) == (name == "raises")


def test_unknown_drafter_is_named(model: Path) -> None:
    with pytest.raises(NotFoundError, match="no drafter “other”"):
        _answer(model, "other")


def test_command_finds_a_drafter_by_its_name(
    model: Path, home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(_PLUGINS / "guess.py", home.plugins)
    words = ["chat", str(model), "-p", "one two one two", "--max-tokens", "24", "--context", "256"]
    # Of a random model: at its own choice an answer may end with its first token.
    words += ["--temperature", "0"]

    code = main(["--home", str(home.root), *words, "--draft", "plugin:again"])

    said = capsys.readouterr()
    assert code == 0, said.err
    # Whether guessing paid is the machine's to say: how many were right, or that it turned itself off.
    assert "guess" in said.err
    assert main(["--home", str(home.root), *words, "--draft", "plugin:none"]) != 0
    assert "repeat-period" in capsys.readouterr().err
