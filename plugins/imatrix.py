"""Measures which inputs of a GGUF model's matrices matter most, for quantizing it better."""

from __future__ import annotations

from pathlib import Path

from plugins._fitting_text import fitting_text
from plugins._imatrix import write_imatrix
from plugins._imatrix_measuring import Reading, measure_importance
from workbench.plugin import JobContext, Model, Param, Params, fact, operation


class ImatrixParams(Params):
    text: Path | None = Param(
        None,
        help="A text or a dataset of the kind that the model will be used for; empty for the one that ships"
        " with Tenfold",
        suffixes=(".txt", ".md", ".jsonl", ".json", ".csv", ".tsv", ".parquet"),
    )
    windows: int = Param(
        0, ge=0, le=1_000_000, unit="windows", help="How much of the text is read; 0 for all of it"
    )
    width: int = Param(512, ge=32, le=32_768, unit="tokens", help="How long a window is", advanced=True)
    output: bool = Param(
        True,
        title="Output layer",
        help="Measure the output layer too; llama-imatrix leaves it out unless told to",
        advanced=True,
    )


@operation(
    "imatrix",
    title="Measure importance",
    group="Quantize",
    input="gguf",
    output=None,
    backend="llama",
    advised=(
        fact("bits_per_weight").at_least(
            8,
            otherwise="Its weights are quantized heavily, so what goes through it is not what goes through"
            " the original. Measure the full-precision parent.",
        ),
    ),
    label="imatrix",
    resumable=True,
)
def imatrix(job: JobContext, model: Model, params: ImatrixParams) -> Path:
    """Make an importance matrix: how strongly each input of each matrix is used while the model reads a text.

    A quantizer that knows this keeps the weights more exactly that matter more; below 4 bits that makes a
    clear difference, and types below 3 bits need it. The result is a file for “Quantize” (its field
    Importance matrix), in the form that llama-imatrix writes and llama-quantize reads: sums of squares by
    column, and how many tokens they come from; of experts by expert.

    A text like the model's later use serves best. What was read is kept; going on after a pause or a kill
    gives the same file.
    """
    text = fitting_text(params.text)
    reading = Reading(width=params.width, windows=params.windows, output=params.output)
    measured = measure_importance(job, model, text, reading, kept=job.checkpoints)
    target = job.out / f"{job.output_name}.gguf"
    write_imatrix(target, measured.sums, texts=[text.name], windows=measured.windows, width=params.width)
    return target
