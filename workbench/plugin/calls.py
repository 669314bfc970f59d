"""What a plugin may ask of Tenfold: an engine, the texts that ship, a proof."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from workbench.engines.base import Engine
from workbench.engines.request import LoadOptions
from workbench.measure.card import Card
from workbench.measure.proof_request import ProofRequest
from workbench.measure.questions import Question
from workbench.measure.stages import Report


def open_engine(options: LoadOptions, progress: Callable[[float], None] = lambda _fraction: None) -> Engine:
    """Load a model in this process, to generate with it; close it when done.

    Args:
        options: What and how; `LoadOptions(path=str(model.path), format=model.facts.format)` at least.
        progress: Called with 0 to 1 while weights are read.

    Raises:
        WorkbenchError: It can't be loaded; see `workbench.engines.load.open_engine`.
    """
    from workbench.engines.load import open_engine as load

    return load(options, progress)


def general_text() -> str:
    """Text of several kinds that ships with Tenfold, to see how far a change moved a model: about 12 kB."""
    from workbench.assets import GENERAL_TEXT

    return GENERAL_TEXT.read_text(encoding="utf-8")


def calibration_text() -> str:
    """Text of many kinds that ships with Tenfold, to fit a quantization on: about 30 kB.

    Nothing is measured on it that a person is told: proofs use other text.
    """
    from workbench.assets import CALIBRATION_TEXT

    return CALIBRATION_TEXT.read_text(encoding="utf-8")


def general_items() -> tuple[Question, ...]:
    """Questions of general knowledge that ship with Tenfold, to see what a change made a model forget."""
    from workbench.assets import GENERAL_ITEMS
    from workbench.measure.questions import read_questions

    return read_questions(GENERAL_ITEMS)


def prove(request: ProofRequest, *, cache: Path, report: Report) -> Card:
    """Measure a model beside its reference; see `workbench.measure.proving.prove`.

    Args:
        cache: `job.cache`.
        report: The job.
    """
    from workbench.measure.proving import prove as measure

    return measure(request, cache=cache, report=report)
