"""Measures which inputs of a GGUF model's matrices matter most, for quantizing it better."""

from __future__ import annotations

import time
from pathlib import Path

from plugins._fingerprint import fingerprint
from plugins._fitting_text import FittingText, fitting_text
from plugins._imatrix import write_imatrix
from plugins._imatrix_checkpoint import KeptSums, keep_sums, kept_sums
from plugins._imatrix_reading import ImportanceReader
from plugins._imatrix_sums import ImportanceSums
from plugins._llama_model import WatchedModel
from workbench.plugin import JobContext, Model, Param, Params, WorkbenchError, fact, operation, windows_of

#: How much work a kill may cost.
_KEPT_EVERY_S = 20.0


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
    sums = measure_importance(
        job, model, text, windows=params.windows, width=params.width, output=params.output
    )
    target = job.out / f"{job.output_name}.gguf"
    write_imatrix(target, sums.sums, texts=[text.name], windows=sums.windows, width=params.width)
    return target


def measure_importance(
    job: JobContext, model: Model, text: FittingText, *, windows: int, width: int, output: bool
) -> KeptSums:
    """Read a text and sum up; what an earlier run of this job came to is gone on from.

    Raises:
        WorkbenchError: The text is shorter than a window, or nothing of the model can be looked into.
    """
    kept = job.checkpoints / "importance.npz"
    of = fingerprint(model, text.sha256, windows, width, output)
    state = kept_sums(kept, of) or KeptSums(0, ImportanceSums())
    done, sums = state.windows, state.sums
    reader = ImportanceReader(sums, output=output)
    with WatchedModel(
        model.path, width=width, threads=job.threads, wanted=reader.wanted, on_node=reader.add
    ) as watched:
        cut = windows_of(watched.tokens(text.text), width, windows or None, begin=watched.begin)
        job.log(f"{len(cut)} windows of {width} tokens from {text.name}; {done} were read before.")
        saved = time.monotonic()
        while done < len(cut):
            job.progress(done, len(cut), unit="windows", label="Reading")
            watched.logits(cut[done].tolist())
            done += 1
            job.throughput(width, unit="tokens")
            if job.pausing or time.monotonic() - saved > _KEPT_EVERY_S:
                keep_sums(kept, KeptSums(done, sums), of)
                saved = time.monotonic()
        job.progress(done, len(cut), unit="windows", label="Read")
    if not sums.tensors:
        raise WorkbenchError(
            f"Nothing that {model.name} computes can be looked into.",
            remedy="Quantize it without an importance matrix.",
        )
    _say_what_is_missing(job, sums)
    keep_sums(kept, KeptSums(done, sums), of)
    return KeptSums(done, sums)


def _say_what_is_missing(job: JobContext, sums: ImportanceSums) -> None:
    unused = [name for name, found in sums.tensors.items() if not found.counts.all()]
    if unused:
        job.log(
            f"In {len(unused)} tensors the text reached not every expert ({unused[0]} among them): those"
            " experts' inputs count as even. A longer text reaches more.",
            level="warning",
        )
    job.log(f"Measured the inputs of {len(sums.tensors)} tensors.")
