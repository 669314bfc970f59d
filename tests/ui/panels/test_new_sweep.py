"""The form of a sweep: what it asks for is what the command line would, and all of it by the keyboard."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from tests.fixtures.entries import shipped
from ui.context import AppContext
from ui.panels.sweeps.new_dialog import NewSweepDialog, SweepSubject
from ui.panels.sweeps.preview import Cost, cost_text
from ui.widgets.sweep_button import SweepButton
from workbench.cluster.place import Place
from workbench.cluster.sweep_file import Sweep, all_sweeps
from workbench.cluster.sweep_start import SweepStarter

ENTRIES = (
    shipped("plugins.gguf_quantize", "gguf-quantize"),
    shipped("plugins.gguf_dequantize", "gguf-dequantize"),
    shipped("plugins.finetune_torch", "finetune-torch"),
    shipped("plugins.prove_model", "prove"),
)
QUANTIZE, _DEQUANTIZE, TUNE, _PROVE = ENTRIES


class OnPaper(SweepStarter):
    """Writes sweeps down and starts no process: what that does is tested where sweeps are run."""

    def resume(self, sweep: Sweep) -> None:
        sweep.read()


@pytest.fixture
def dialog(context: AppContext, tiny_gguf: Path, qtbot: QtBot) -> Iterator[NewSweepDialog]:
    """For quantizing a model."""
    session = context.session
    place = Place(name="lab", address="http://head:8265")
    session.settings.save(session.settings.load().model_copy(update={"places": (place,)}))
    record = session.library.add(tiny_gguf).record
    facts = session.library.facts(record.id)
    subject = SweepSubject(QUANTIZE, ENTRIES, record, facts, {"type": "Q4_K_M", "pure": True})
    made = opened(context, subject, qtbot)
    yield made
    made.hide()
    made.deleteLater()


def opened(context: AppContext, subject: SweepSubject, qtbot: QtBot) -> NewSweepDialog:
    made = NewSweepDialog(context.session, OnPaper(context.session.home), subject)
    with qtbot.waitExposed(made):
        made.show()
    made.activateWindow()
    qtbot.waitUntil(made.isActiveWindow)
    return made


def test_a_sweep_is_filled_in_and_started_by_keys_alone(dialog: NewSweepDialog, qtbot: QtBot) -> None:
    pytest.importorskip("ray", reason="without Ray nothing is started")
    row = dialog.steps[0].rows[0]
    assert row.check.hasFocus() and row.check.isChecked()
    for widget in (row.check, row.how):
        qtbot.keyClick(widget, Qt.Key.Key_Tab)
    assert row.values.hasFocus()
    qtbot.keyClicks(row.values, "Q8_0, Q4_0")
    assert dialog.count.text() == "2 trials"

    qtbot.keyClick(row.values, Qt.Key.Key_Return)

    assert dialog.result() == NewSweepDialog.DialogCode.Accepted
    assert dialog.sweep is not None and dialog.sweep.plan is not None
    plan = dialog.sweep.plan
    assert [each.id for each in all_sweeps(dialog._session.home)] == [dialog.sweep.id]
    assert plan.values == ({"type": "Q8_0"}, {"type": "Q4_0"})
    assert (plan.metric, plan.mode, plan.stop_early) == ("mean_kld", "min", False)
    assert [spec["params"]["pure"] for spec in plan.specs] == [True, True]
    assert [spec["then"][0]["operation"] for spec in plan.specs] == ["prove"] * 2


def test_a_wrong_value_is_explained_below_it_and_nothing_starts(dialog: NewSweepDialog, qtbot: QtBot) -> None:
    row = dialog.steps[0].rows[0]
    for text, told in (("Q8_0, Q9_9", "Q9_9"), ("", "Type its values")):
        row.values.clear()
        qtbot.keyClicks(row.values, text)
        row.values.textEdited.emit(text)

        assert told in row.problem.text() and row.problem.isVisible()
        assert not dialog.start_button.isEnabled()

    qtbot.keyClick(row.check, Qt.Key.Key_Space)
    assert not row.problem.isVisible()
    assert "Nothing varies" in dialog.count.text() and not dialog.start_button.isEnabled()


def test_a_figure_of_a_proof_needs_one_and_a_failure_keeps_the_form(dialog: NewSweepDialog) -> None:
    pytest.importorskip("ray", reason="without Ray nothing is started")
    dialog.judging.proof.setCurrentIndex(0)

    dialog.start()

    assert dialog.isVisible() and dialog.sweep is None
    assert dialog.problem.isVisible() and "proof" in dialog.problem.accessibleName()


def test_a_recipe_goes_to_a_place_and_varies_a_later_step(dialog: NewSweepDialog) -> None:
    assert [each.name for each in dialog.next_steps()] == ["gguf-dequantize", "prove"]
    dialog.add_step("gguf-dequantize")
    added = dialog.steps[1].add(dialog.steps[1].addable()[0])
    added.values.setText(str(added.spec.default))
    dialog.place.combo.setCurrentIndex(dialog.place.combo.findData("lab"))
    dialog.amounts.parallel.setValue(3)

    asked = dialog.request()

    assert asked.operations == ("gguf-quantize", "gguf-dequantize")
    assert asked.vary[1].startswith(f"gguf-dequantize.{added.spec.name}=")
    assert (asked.place, asked.parallel) == ("lab", 3)
    dialog.steps[1].removed.emit(dialog.steps[1])
    assert dialog.request().operations == ("gguf-quantize",)


def test_a_range_is_drawn_from_and_what_lags_behind_can_be_ended(
    context: AppContext, tiny_hf: Path, qtbot: QtBot
) -> None:
    record = context.session.library.add(tiny_hf).record
    facts = context.session.library.facts(record.id)
    values = {"data": ["rows.jsonl"], "rank": 8}
    subject = SweepSubject(TUNE, ENTRIES, record, facts, values, series=("loss/held-out",))
    dialog = opened(context, subject, qtbot)
    rate = dialog.steps[0].add("learning_rate")
    dialog.amounts.samples.setValue(5)
    dialog.stop_early.setChecked(True)

    asked = dialog.request()

    assert rate.is_range and not dialog.amounts.choice.isEnabled() and dialog.count.text() == "5 trials"
    assert (asked.metric, asked.samples, asked.stop_early) == ("loss/held-out", 5, True)
    assert any(text.startswith("learning_rate=log:1e-05:") for text in asked.vary)
    dialog.judging.metric.setCurrentIndex(dialog.judging.metric.findData("seconds"))
    assert not dialog.request().stop_early
    dialog.hide()
    dialog.deleteLater()


def test_the_cost_counts_what_works_at_the_same_time_and_owns_up_to_what_is_not_known() -> None:
    cost = Cost(
        seconds=60.0, on_top=True, parallel=4, slots=2, result_bytes=3_000_000_000, free_bytes=9_000_000_000
    )

    told = cost_text(8, cost).replace("\u202f", " ")

    assert "let 2 jobs work at the same time" in told and "about 4 min" in told
    assert "comes on top" in told and "3 GB; 9 GB are free" in told
    assert "run here yet" in cost_text(8, replace(cost, seconds=None))
    assert "there is not known" in cost_text(8, replace(cost, seconds=None, slots=None))


def test_without_ray_the_button_says_what_to_install(monkeypatch: pytest.MonkeyPatch, qtbot: QtBot) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    button = SweepButton()
    qtbot.addWidget(button)

    assert not button.isEnabled()
    assert "tenfold[ray]" in button.accessibleDescription()
