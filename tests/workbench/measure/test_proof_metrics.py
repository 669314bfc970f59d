"""Figures of plugins as part of a proof: on the card, in the log, and not measured twice."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from workbench.measure.measured import Measured, measured_model
from workbench.measure.proof_request import ProofRequest
from workbench.measure.proving import prove
from workbench.plugin.testing import Log, Progress, RecordingJob, tiny_model

_PLUGINS = Path(__file__).parents[2] / "fixtures" / "plugins"


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A plugin in the folder of a home."""
    folder = tmp_path / "plugins"
    folder.mkdir()
    monkeypatch.setenv("TENFOLD_HOME", str(tmp_path))
    return Path(shutil.copy(_PLUGINS / "figures.py", folder))


def _proof(model: Measured, job: RecordingJob, *names: str) -> ProofRequest:
    return ProofRequest(candidate=model, speed=False, metrics=names, seed=job.seed, threads=1)


def test_figure_is_known_by_model_and_source_and_measured_anew_by_other_source(
    plugin: Path, tmp_path: Path
) -> None:
    model = measured_model(tiny_model("gguf", tmp_path / "model"))
    job = RecordingJob(tmp_path / "job")
    request = _proof(model, job, "file:figures.py:answer-length")

    def measured() -> tuple[str, set[Path]]:
        card = prove(request, cache=job.cache, report=job)
        assert card.metrics[0].figure is not None and card.metrics[0].reference is None
        return card.metrics[0].sha256, set((job.cache / "proofs").glob("metric-*.json"))

    first, kept = measured()
    written = {each: each.stat().st_mtime_ns for each in kept}
    assert measured() == (first, kept)
    assert {each: each.stat().st_mtime_ns for each in kept} == written

    plugin.write_text(plugin.read_text("utf-8") + "\n# another\n", encoding="utf-8")

    other, more = measured()
    assert other != first
    assert len(kept) == 1 and len(more) == 2
    assert "answer-length" in {each.label for each in job.reported(Progress)}


def test_what_fails_is_said_in_the_log_and_on_the_card_in_one_line(plugin: Path, tmp_path: Path) -> None:
    model = measured_model(tiny_model("gguf", tmp_path / "model"))
    job = RecordingJob(tmp_path / "job")

    card = prove(
        _proof(model, job, "file:figures.py:raises", "bare", "file:gone.py:x"), cache=job.cache, report=job
    )

    raising, bare, gone = card.metrics
    assert (raising.title, raising.unit, raising.better) == ("Raising", "%", "lower")
    assert raising.problem.startswith("RuntimeError: no idea!") and len(raising.problem) < 250
    assert "does not say which plugin offers it" in bare.problem
    assert "gone.py was not found" in gone.problem
    said = [each.text for each in job.reported(Log)]
    assert len(said) == 3 and said[2].startswith("x: could not be measured: The plugin gone.py was not found")
