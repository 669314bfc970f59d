"""A run as it is watched: curves, answers, failure, result, and what a person asks of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from ui.context import AppContext
from ui.panels.finetune.training_panel import TrainingPanel
from workbench.jobs.events import Event, EventLog, Metric, Progress, Sample
from workbench.jobs.records import JobRecord
from workbench.jobs.spec import JobSpec


@pytest.fixture
def panel(context: AppContext, qtbot: QtBot) -> TrainingPanel:
    made = TrainingPanel(context)
    qtbot.addWidget(made)
    made.resize(1000, 900)
    made.show()
    return made


def _run(context: AppContext, name: str = "tiny-desk-codes") -> JobRecord:
    spec = JobSpec(
        operation="finetune-torch",
        plugin="plugins.finetune_torch",
        title=f"Fine-tune: {name}",
        params={"method": "lora", "rank": 8, "epochs": 2.0},
        output_name=name,
        resumable=True,
    )
    return context.session.board.submit(spec)


def _tell(job: JobRecord, *events: Event) -> None:
    log = EventLog(job.folder / "events.jsonl")
    for event in events:
        log.append(event)
    log.close()


def _steps(first: int, last: int, *, held_out: float | None = None) -> list[Event]:
    events: list[Event] = []
    for step in range(first, last + 1):
        events.append(Metric(float(step), "loss/train", 4.0 / step, step=step))
        events.append(Metric(float(step), "learning rate", 1e-3, step=step))
        events.append(Metric(float(step), "throughput", 100.0, unit="tokens/s"))
        events.append(Metric(float(step), "throughput/padded tokens", 120.0, unit="padded tokens/s"))
        events.append(Metric(float(step), "rss_bytes", 1e9, unit="B"))
        events.append(Progress(float(step), step, 40, "steps"))
    if held_out is not None:
        events.append(Metric(float(last), "loss/held-out", held_out, step=last))
        events.append(Sample(float(last), last, "capital?", f"answer {last}", "Paris"))
    return events


def test_curves_figures_and_answers_grow_while_the_run_goes_on(
    panel: TrainingPanel, context: AppContext, qtbot: QtBot
) -> None:
    job = replace(_run(context), state="running", started_at=1.0)
    _tell(job, Metric(0.5, "loss/held-out", 5.0, step=0), *_steps(1, 20, held_out=1.5))
    panel.show_job(replace(job, progress_done=20, progress_total=40, progress_unit="steps"))
    assert panel.loss is not None
    curve = panel.loss._curves["loss/train"].points
    qtbot.waitUntil(lambda: len(curve) == 20)

    _tell(job, *_steps(21, 30, held_out=0.7))
    done = replace(job, progress_done=30, progress_total=40, progress_unit="steps")
    panel.take(done, [Progress(30.0, 30, 40, "steps")])

    qtbot.waitUntil(lambda: len(curve) == 30)
    assert panel.loss._curves["loss/held-out"].points.v.tolist() == [5.0, 1.5, 0.7]
    assert panel.loss._ring.getData()[0].tolist() == [30]
    tiles = {name: tile.accessibleName() for name, tile in panel.tiles.tiles.items()}
    assert "30 / 40. epoch 1.5 of 2" in tiles["step"].replace("\u2009", " ")
    assert "0.7. best · before 5" in tiles["loss"]
    assert "100. 120 with padding" in tiles["speed"]
    model = panel.samples.samples
    assert model.index(0, model.columnCount() - 1).data() == "answer 30"


def test_another_run_shows_its_own_curves(panel: TrainingPanel, context: AppContext, qtbot: QtBot) -> None:
    first, second = _run(context, "first"), _run(context, "second")
    _tell(first, *_steps(1, 50, held_out=1.0))
    _tell(second, *_steps(1, 5))
    panel.show_job(replace(first, state="cancelled"))
    qtbot.waitUntil(lambda: panel.loss is not None and len(panel.loss._curves["loss/train"].points) == 50)
    assert panel.loss is not None

    panel.show_job(replace(second, state="cancelled"))

    qtbot.waitUntil(lambda: len(panel.loss._curves["loss/train"].points) == 5)  # type: ignore[union-attr]
    assert len(panel.loss._curves["loss/held-out"].points) == 0
    assert panel.loss._ring.getData()[0].tolist() == []
    assert panel.samples.samples.rowCount() == 0


def test_a_failure_says_what_to_try_and_leads_there(
    panel: TrainingPanel, context: AppContext, qtbot: QtBot
) -> None:
    job = replace(
        _run(context),
        state="failed",
        error_message="The loss is no number any more at step 7.",
        error_remedy="Try a third of the learning rate.",
    )
    panel.show_job(job)

    with qtbot.waitSignal(panel.use_wanted) as asked:
        panel.head.buttons["again"].click()

    assert panel.error.isVisible()
    assert "third of the learning rate" in panel.error.accessibleName()
    assert panel.head.buttons["resume"].isVisible()
    assert asked.args == [job]


def test_a_run_is_paused_resumed_and_stopped(panel: TrainingPanel, context: AppContext) -> None:
    job = _run(context)
    panel.show_job(job)
    states = []

    for name in ("pause", "resume", "cancel"):
        panel.head.buttons[name].click()
        states.append(context.session.board.get(job.id).state)

    assert states == ["paused", "queued", "cancelled"]
    assert not panel.head.buttons["pause"].isVisible()
    assert panel.head.buttons["again"].isVisible()


def test_the_end_shows_the_proof_and_what_comes_next(
    panel: TrainingPanel, context: AppContext, tiny_hf: Path, qtbot: QtBot
) -> None:
    model = context.session.library.add(tiny_hf).record
    job = _run(context)
    folder = job.folder / "out"
    folder.mkdir(exist_ok=True)
    (folder / "proof.json").write_text(json.dumps({"held_out": {"before": 2.0, "after": 1.0}}))
    panel.show_job(replace(job, state="done", started_at=1.0, ended_at=9.0, model_id=model.id))

    assert panel.result.isVisible()
    assert panel.result.held_out.figure.text() == "2 → 1"
    assert not panel.result.buttons["chat"].isVisible()

    panel.show_job(replace(job, state="done", model_id="base", result_model_id=model.id))
    for name, wanted in (
        ("chat", ["chat", ("side-by-side", "base", model.id)]),
        ("models", ["models", model.id]),
    ):
        with qtbot.waitSignal(context.open_page) as opened:
            panel.result.buttons[name].click()
        assert opened.args == wanted
