"""The examples and texts that ship with Tenfold; `README.md` beside this file says what each is."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_FOLDER = Path(__file__).parent

#: 300 examples to learn from: a customer's message, and the code of the desk that answers it.
SAMPLE_DATASET: Final = _FOLDER / "desk-codes.jsonl"
#: 80 more, on which the result is judged.
SAMPLE_TEST: Final = _FOLDER / "desk-codes-test.jsonl"
#: 40 questions of general knowledge with choices, to see what a training made a model forget.
GENERAL_ITEMS: Final = _FOLDER / "general-items.jsonl"
#: Text of several kinds that no training here shows a model, to see how far a training moved it.
GENERAL_TEXT: Final = _FOLDER / "general-text.txt"
#: 60 kB of prose, dialogue, mathematics, code, tables and letters in thirteen languages, on which two models
#: are compared prediction by prediction.
EVALUATION_TEXT: Final = _FOLDER / "evaluation-text.txt"
#: 120 questions with four choices, on which two models are compared.
EVALUATION_ITEMS: Final = _FOLDER / "evaluation-items.jsonl"
#: 32 conversations that go through a model before and after a step that may break it.
PARITY_PROMPTS: Final = _FOLDER / "parity-prompts.jsonl"
#: 28 kB of as many kinds, which quantizations are fitted on and no model is ever measured on.
CALIBRATION_TEXT: Final = _FOLDER / "calibration-text.txt"
