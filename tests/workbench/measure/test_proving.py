"""A whole proof: what is asked of the models, what is known from before, and how far it says it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from workbench.measure import answers, proof_answers
from workbench.measure.card import Card
from workbench.measure.measured import measured_model
from workbench.measure.proof_request import ProofRequest
from workbench.measure.proving import prove
from workbench.plugin.testing import Progress, RecordingJob


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What is asked of which engine."""
    found: list[tuple[str, str]] = []

    def heard(what: str, call: Any) -> Any:
        def told(engine: Any, *words: Any, **more: Any) -> Any:
            found.append((what, engine.name))
            return call(engine, *words, **more)

        return told

    monkeypatch.setattr(proof_answers, "answers", heard("questions", proof_answers.answers))
    monkeypatch.setattr(answers, "greedy_answer", heard("answer", answers.greedy_answer))
    return found


def test_what_a_reference_answered_serves_the_next_candidate(
    small_gguf: Path, small_hf: Path, changed_hf: Path, tmp_path: Path, asked: list[tuple[str, str]]
) -> None:
    job = RecordingJob(tmp_path / "job")

    def proof(candidate: Path, *, again: bool = False) -> Card:
        request = ProofRequest(
            candidate=measured_model(candidate),
            reference=measured_model(small_gguf),
            windows=1,
            speed=False,
            again=again,
        )
        return prove(request, cache=job.cache, report=job)

    proof(small_hf)
    assert {("questions", "llama.cpp"), ("answer", "llama.cpp"), ("questions", "torch")} <= set(asked)

    asked.clear()
    second = proof(changed_hf)
    assert set(asked) == {("questions", "torch"), ("answer", "torch")}

    asked.clear()
    assert proof(changed_hf).tasks == second.tasks
    assert asked == []

    anew = proof(changed_hf, again=True)
    assert {("questions", "llama.cpp"), ("answer", "llama.cpp")} <= set(asked)
    assert (anew.tasks, anew.identity, anew.examples) == (second.tasks, second.identity, second.examples)


def test_progress_of_a_proof_never_goes_back(small_gguf: Path, small_hf: Path, tmp_path: Path) -> None:
    job = RecordingJob(tmp_path / "job")
    request = ProofRequest(
        candidate=measured_model(small_hf), reference=measured_model(small_gguf), windows=1, speed=False
    )

    prove(request, cache=job.cache, report=job)

    told = [each.done for each in job.reported(Progress)]
    assert told == sorted(told)
    assert told[-1] == 100
