"""Reads a text with a model and measures the importance of its matrices' inputs, in pieces that are kept."""

from __future__ import annotations

import time
from dataclasses import astuple, dataclass
from pathlib import Path

from plugins._fingerprint import fingerprint
from plugins._fitting_text import FittingText
from plugins._imatrix_checkpoint import KeptSums, keep_sums, kept_sums
from plugins._imatrix_reading import ImportanceReader
from plugins._imatrix_sums import ImportanceSums
from plugins._llama_model import WatchedModel
from workbench.plugin import JobContext, Model, WorkbenchError, windows_of

#: How much work a kill may cost.
_KEPT_EVERY_S = 20.0


@dataclass(frozen=True, slots=True)
class Reading:
    """How a text is read.

    Attributes:
        width: Tokens of a window.
        windows: How many of them; 0 for all.
        output: Whether the output layer's inputs are measured too.
    """

    width: int = 512
    windows: int = 0
    output: bool = True


def measure_importance(
    job: JobContext, model: Model, text: FittingText, reading: Reading, *, kept: Path
) -> KeptSums:
    """Read a text and sum up; what an earlier run came to is gone on from.

    Args:
        kept: The folder where the sums are kept.

    Raises:
        WorkbenchError: The text is shorter than a window, or nothing of the model can be looked into.
    """
    of = fingerprint(model, text.sha256, astuple(reading))
    place = kept / f"importance-{of[:32]}.npz"
    state = kept_sums(place, of) or KeptSums(0, ImportanceSums())
    done, sums = state.windows, state.sums
    reader = ImportanceReader(sums, output=reading.output)
    with WatchedModel(
        model.path, width=reading.width, threads=job.threads, wanted=reader.wanted, on_node=reader.add
    ) as watched:
        cut = windows_of(
            watched.tokens(text.text), reading.width, reading.windows or None, begin=watched.begin
        )
        job.log(f"{len(cut)} windows of {reading.width} tokens from {text.name}; {done} were read before.")
        saved = time.monotonic()
        while done < len(cut):
            job.progress(done, len(cut), unit="windows", label="Reading")
            watched.logits(cut[done].tolist())
            done += 1
            job.throughput(reading.width, unit="tokens")
            if job.pausing or time.monotonic() - saved > _KEPT_EVERY_S:
                keep_sums(place, KeptSums(done, sums), of)
                saved = time.monotonic()
        job.progress(done, len(cut), unit="windows", label="Read")
    if not sums.tensors:
        raise WorkbenchError(
            f"Nothing that {model.name} computes can be looked into.",
            remedy="Quantize it without an importance matrix.",
        )
    _say_what_is_missing(job, sums)
    keep_sums(place, KeptSums(done, sums), of)
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
