"""What a training proved, from its files, and how the result card says it."""

from __future__ import annotations

import json
from pathlib import Path

from pytestqt.qtbot import QtBot

from ui.panels.finetune.outcome import Forgetting, HeldOut, Outcome, Task, outcome_in
from ui.panels.finetune.result_card import ResultCard
from ui.theme import Theme

_PROOF = {
    "schema": 1,
    "held_out": {"before": 3.97, "after": 0.58},
    "task": {
        "items": 60,
        "before": 0.02,
        "after": 0.9,
        "wilson_before": [0.003, 0.09],
        "wilson_after": [0.8, 0.95],
        "only_before": 0,
        "only_after": 53,
        "p": 2e-16,
    },
    "forgetting": {"mean_kld": 0.031, "same_top": 0.934, "tokens": 4096},
    "conditions": {"seed": 0},
}


def test_the_proof_is_read_with_what_it_leaves_out(tmp_path: Path) -> None:
    (tmp_path / "proof.json").write_text(json.dumps(_PROOF))

    found = outcome_in(tmp_path)

    assert found.held_out == HeldOut(3.97, 0.58)
    assert found.task is not None
    assert found.task.wilson_after == (0.8, 0.95)
    assert found.forgetting is not None
    assert found.forgetting.accuracy_before is None


def test_without_a_proof_the_run_s_own_losses_are_told(tmp_path: Path) -> None:
    (tmp_path / "tuning.json").write_text('{"held_out_before": 3.0, "held_out_best": 1.0, "steps": 9}')

    assert outcome_in(tmp_path) == Outcome(HeldOut(3.0, 1.0))


def test_damaged_files_count_as_none(tmp_path: Path) -> None:
    (tmp_path / "proof.json").write_text('{"held_out": {"before": "much"}}')
    (tmp_path / "tuning.json").write_text("[")

    assert outcome_in(tmp_path) == Outcome()
    assert outcome_in(tmp_path / "nowhere") == Outcome()


def test_a_better_result_is_called_better_only_with_evidence(theme: Theme, qtbot: QtBot) -> None:
    card = ResultCard(theme)
    qtbot.addWidget(card)
    sure = Task(items=60, before=0.1, after=0.9, p=1e-9, verdict="better, p < 0.001")
    unsure = Task(items=10, before=0.4, after=0.5, p=0.6, verdict="no difference shown")

    card.show_outcome(Outcome(HeldOut(2.0, 1.0), sure), is_adapter=True, has_model=True)
    first = card.task.verdict.text()
    card.show_outcome(Outcome(HeldOut(1.0, 2.0), unsure), is_adapter=True, has_model=True)

    assert first == "better"
    assert card.task.verdict.text() == "no difference shown"
    assert card.held_out.verdict.text() == "not better"
    assert "p = 0.6" in card.task.accessibleName()


def test_what_was_not_measured_says_so_and_a_whole_model_is_not_merged(theme: Theme, qtbot: QtBot) -> None:
    card = ResultCard(theme)
    qtbot.addWidget(card)
    card.show()

    card.show_outcome(Outcome(forgetting=Forgetting(0.5)), is_adapter=False, has_model=True)

    assert "Nothing was held out" in card.held_out.accessibleName()
    assert card.forgetting.verdict.text() == "much"
    shown = {name for name, button in card.buttons.items() if button.isVisible()}
    assert shown == {"chat", "models", "export"}
