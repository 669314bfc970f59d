"""What the pages ask to be measured becomes jobs against the right models."""

from __future__ import annotations

from pathlib import Path

from pytestqt.qtbot import QtBot

from ui.context import AppContext
from ui.measuring import measure
from workbench.library.inspect import inspect


def test_a_model_is_measured_beside_the_nearest_whole_model_that_it_was_made_from(
    context: AppContext, tiny_gguf: Path, tmp_path: Path, qtbot: QtBot
) -> None:
    library = context.session.library
    parent = library.add(tiny_gguf).record
    copy = tmp_path / "child.gguf"
    copy.write_bytes(tiny_gguf.read_bytes())
    child = library.add_result(
        job_id="gone",
        parent_id=parent.id,
        path=copy,
        name="child",
        facts=inspect(copy),
        sha256="0" * 64,
        source="job",
    )

    with qtbot.waitSignal(context.message) as said:
        made = measure(context, [child.id])

    spec = context.session.board.spec(made[0])
    assert said.args is not None and said.args[0] == "good"
    assert spec.model is not None and spec.model.id == child.id
    assert spec.params["against"] == str(parent.path)
    assert spec.params["again"] is False


def test_a_model_that_was_made_from_none_is_measured_alone(context: AppContext, tiny_gguf: Path) -> None:
    parent = context.session.library.add(tiny_gguf).record

    spec = context.session.board.spec(measure(context, [parent.id])[0])

    assert spec.params["against"] is None


def test_a_model_that_is_gone_is_told_and_the_others_are_queued(
    context: AppContext, tiny_gguf: Path, qtbot: QtBot
) -> None:
    parent = context.session.library.add(tiny_gguf).record

    with qtbot.waitSignal(context.message, check_params_cb=lambda kind, _text: kind == "bad"):
        made = measure(context, ["none", parent.id])

    assert len(made) == 1
