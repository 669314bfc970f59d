"""A whole distillation on PyTorch: a student that learns from a teacher, or heals with text alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from plugins._distill_loss import Goal
from plugins._tuning_params import FinetuneParams
from workbench.plugin import JobContext, Model, ParameterError, calibration_text, general_text


def examples(job: JobContext, given: list[Path]) -> list[Path]:
    """The files that are learned: those given, or the text that ships with Tenfold for fitting."""
    if given:
        return given
    job.checkpoints.mkdir(parents=True, exist_ok=True)
    path = job.checkpoints / "calibration-text.txt"
    path.write_text(calibration_text(), encoding="utf-8")
    return [path]


def distill(
    job: JobContext, student: Model, params: FinetuneParams, goal: Goal, teacher: Path | None
) -> Path:
    """Train a student, publish it as a whole model, and compare it with its teacher.

    Args:
        teacher: None where the text's own tokens are all that is learned.
    """
    import peft
    import torch
    import transformers

    from plugins._distill_report import compare, load_frozen
    from plugins._merged_result import write_merged
    from plugins._torch_distilling import DistillBackend, Teacher
    from plugins._torch_loading import load_base, prepare
    from plugins._tuning_run import Tuned, conditions, learn, proven

    versions = {each.__name__: each.__version__ for each in (torch, transformers, peft)}

    def make(*, end_tokens: tuple[int, ...]) -> DistillBackend:
        base = job.run_native(lambda: load_base(student.path, params))
        guide = Teacher(load_frozen(job, teacher, params), params, job.check) if teacher is not None else None
        # An adapter begins at random.
        torch.manual_seed(job.seed)
        return DistillBackend(
            prepare(base, params, student.name),
            params,
            student.path,
            end_tokens,
            job.checkpoints,
            goal=goal,
            teacher=guide,
            merge=lambda adapter, target: write_merged(job, student, adapter, target),
            check=job.check,
        )

    def proof(tuned: Tuned) -> dict[str, Any]:
        found = compare(job, tuned, teacher, params)
        return {"schema": 1, **found, "conditions": conditions(job, tuned, versions)}

    tuned = learn(job, student, params, make, name="torch")
    return proven(tuned, params, proof)


def check_same_tokens(student: Path, teacher: Path) -> None:
    """Make sure that the same text is the same tokens to two models. One vocabulary may be padded further.

    Raises:
        ParameterError: It is not.
    """
    from transformers import AutoTokenizer

    from plugins._no_remote_code import no_remote_code

    try:
        with no_remote_code(student):
            ours = AutoTokenizer.from_pretrained(student, local_files_only=True)
        with no_remote_code(teacher):
            theirs = AutoTokenizer.from_pretrained(teacher, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise ParameterError(
            "teacher",
            f"{teacher} is no model in safetensors with a tokenizer.",
            remedy="Choose the folder of a model that this one can learn from.",
        ) from error
    known = {number: piece for piece, number in ours.get_vocab().items()}
    for piece, number in theirs.get_vocab().items():
        if known.get(number, piece) != piece:
            raise ParameterError(
                "teacher",
                f"{teacher.name} has another vocabulary: its token {number} is {piece!r}, "
                f"the student's is {known[number]!r}.",
                remedy="Choose a teacher of the same family.",
            )
    text = general_text()[:4000]
    if ours.encode(text) != theirs.encode(text):
        raise ParameterError(
            "teacher",
            f"{teacher.name} cuts texts into other tokens than the student.",
            remedy="Choose a teacher of the same family.",
        )
