"""Writes a model with a type for each tensor, and measures what came out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from plugins._ggml import Floats
from plugins._llama_quantizer import LlamaQuantizer
from plugins._mixed_search import Choice
from plugins._mixed_sensitivity import FIRST_SCORED
from workbench.plugin import Divergence, JobContext, LoadOptions, Model, open_engine

#: What a header states for the whole: llama.cpp's flag for “not said, but guessed”, so that a file of mixed
#: types does not pass for one of a fixed recipe.
_GUESSED = 1024


def quantize_mixed(
    job: JobContext,
    model: Model,
    target: Path,
    types: Mapping[str, str],
    importance: Mapping[str, Floats],
) -> None:
    """Write the file, by llama.cpp's own quantizer.

    Raises:
        WorkbenchError: llama.cpp refuses.
    """
    # Any quantized type: every tensor that it would concern is named.
    quantizer = LlamaQuantizer("Q4_0")
    quantizer.native.pure = True
    quantizer.set_overrides({f"^{name.replace('.', '[.]')}$": type for name, type in types.items()})
    quantizer.set_imatrix(importance)
    quantizer.set_number("general.file_type", _GUESSED)
    job.reserve(job.out, model.facts.size_bytes // 2)
    quantizer.run(job, model, target)
    for role, found in _by_role(types).items():
        counted = ", ".join(f"{number} × {type}" for type, number in found.most_common())
        job.log(f"{role}: {counted}")


def report_result(job: JobContext, target: Path, choice: Choice) -> None:
    """Measure the file where the choice was fitted, and say what was expected and what it is."""
    width = len(choice.windows[0])
    engine = open_engine(
        LoadOptions(path=str(target), format="gguf", context=width, parallel=1, threads=job.threads)
    )
    found = Divergence()
    try:
        for number, window in enumerate(choice.windows):
            job.progress(number, len(choice.windows), unit="windows", label="Checking")
            found.add(choice.reference[number], engine.logits(window, FIRST_SCORED))
    finally:
        engine.close()
    job.progress(len(choice.windows), len(choice.windows), unit="windows", label="Checked")
    distance = found.distance()
    job.metric("measured_kld", distance.mean_kld, unit="nats")
    job.log(
        f"KL divergence on the text that it was fitted on: {distance.mean_kld:.4f} ± "
        f"{distance.mean_kld_error:.4f} nats; {choice.expected_kld:.4f} was expected."
    )


def _by_role(types: Mapping[str, str]) -> dict[str, Counter[str]]:
    found: dict[str, Counter[str]] = {}
    for name, type in types.items():
        role = name.removesuffix(".weight").rpartition(".")[2]
        found.setdefault(role, Counter())[type] += 1
    return found
