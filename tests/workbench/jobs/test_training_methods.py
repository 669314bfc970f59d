"""A job that learns with a plugin's loss: its spec names the plugin, and wrong options never begin."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.entries import PLUGINS
from workbench.catalogue import Catalogue
from workbench.errors import ParameterError, UsageError
from workbench.home import Home
from workbench.jobs.build import make_follow_up
from workbench.jobs.script import render
from workbench.jobs.spec import JobSpec

_BEFORE = JobSpec(operation="make", plugin="plugins.make", title="Make", output_name="made")


def test_spec_names_the_loss_with_its_plugin_and_refuses_wrong_options(home: Home, tmp_path: Path) -> None:
    shutil.copy(PLUGINS / "losses.py", home.plugins)
    entry = Catalogue(home).operation("finetune-torch")

    def spec(**values: Any) -> JobSpec:
        return make_follow_up(entry, _BEFORE, {"data": [str(tmp_path / "a.jsonl")], **values})

    made = spec(loss="label-smoothing", loss_options="amount=0.3")
    assert made.params["loss"] == "file:losses.py:label-smoothing"
    assert made.params["loss_options"] == {"amount": "0.3"}
    assert made.plugins == ("plugins.finetune_torch", "file:losses.py")
    assert "It needs the plugin losses.py beside it" in render(made)
    usual = spec()
    assert usual.params["loss"] is None and usual.plugins == ("plugins.finetune_torch",)
    for options, told in (("amount=2", "from 0 to 0.9"), ("other=1", "no parameter “other”")):
        with pytest.raises(ParameterError, match=told) as got:
            spec(loss="label-smoothing", loss_options=options)
        assert got.value.parameter == "loss_options"
    with pytest.raises(UsageError, match="training method “none”"):
        spec(loss="none")
