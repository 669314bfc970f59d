"""The kit's checks of readers and losses: what is right passes, and what is wrong is told."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.fixtures.entries import PLUGINS
from workbench.errors import ParameterError, PluginError
from workbench.plugin import Params, reader, training_method
from workbench.plugin.testing import check_reader, check_training_method


def _module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, PLUGINS / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_reader_that_reads_passes_and_a_bad_row_is_named(tmp_path: Path) -> None:
    read = _module("letters").read_letters
    good, bad = tmp_path / "good.letters", tmp_path / "bad.letters"
    good.write_text("Who?|Me\n", encoding="utf-8")
    bad.write_text("Who?|Me\nno bar\n", encoding="utf-8")

    assert check_reader(read, good) == [{"prompt": "Who?", "completion": "Me"}]
    with pytest.raises(PluginError, match=r"Row 2 of bad\.letters: There is no bar\."):
        check_reader(read, bad)


def test_reader_that_gives_other_rows_each_time_is_told(tmp_path: Path) -> None:
    count = iter(range(9))

    @reader("other", title="Other", suffixes=(".other",))
    def other(path: Path) -> Iterator[dict[str, Any]]:
        """Read what nobody wrote."""
        yield {"text": f"{next(count)}"}

    with pytest.raises(PluginError, match=r"other rows of a\.other the second time"):
        check_reader(other, tmp_path / "a.other")


@pytest.mark.parametrize("suffix", [".jsonl", "mbox", ".Mbox", "."])
def test_ending_that_no_reader_can_have_is_refused(suffix: str) -> None:
    with pytest.raises(PluginError, match="The reader mail names"):

        @reader("mail", title="Mail", suffixes=(suffix,))
        def mail(path: Path) -> Iterator[dict[str, Any]]:
            """Read mail."""
            yield {}


def test_losses_that_are_ones_pass() -> None:
    losses = _module("losses")

    assert check_training_method(losses.label_smoothing, amount=0.3) > 0
    assert check_training_method(losses.plain_dpo) > 0
    with pytest.raises(ParameterError):
        check_training_method(losses.label_smoothing, amount=3)


@pytest.mark.parametrize(
    ("harm", "told"),
    [("nan", "no number"), ("shape", "the shape"), ("gradient", "without a gradient"), ("kind", "'list'")],
)
def test_loss_that_is_none_is_told(harm: str, told: str) -> None:
    with pytest.raises(PluginError, match=told):
        check_training_method(_module("losses").harmful, harm=harm)


def test_loss_that_looks_at_other_positions_is_told() -> None:
    @training_method("centred", title="Centred")
    def centred(logits: Any, targets: Any, options: Params) -> Any:
        """Compare each position with the mean of all."""
        losses = logits.logsumexp(-1)
        return losses - losses.mean() / 2

    with pytest.raises(PluginError, match="change with the positions beside them"):
        check_training_method(centred)
