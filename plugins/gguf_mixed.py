"""Quantizes a GGUF model with a type for each tensor, chosen by what each costs."""

from __future__ import annotations

from pathlib import Path

from plugins._fitting_text import fitting_text
from plugins._ggml import Floats, ggml
from plugins._imatrix import importance_of, read_imatrix
from plugins._imatrix_measuring import Reading, measure_importance
from plugins._llama_types import CHOICES, FileType
from plugins._mixed_search import Search
from plugins._mixed_types import USUAL, check_types
from plugins._mixed_writing import quantize_mixed, report_result
from workbench.plugin import JobContext, Model, Param, ParameterError, Params, fact, operation


class MixedParams(Params):
    size_of: FileType = Param(
        "Q4_K_M",
        title="As large as",
        help="The result is at most as large as the model would be in this type",
        choices=CHOICES,
    )
    bits_per_weight: float | None = Param(
        None, ge=1, le=16, unit="bits", help="The size as bits per weight, instead of the type above"
    )
    types: list[str] = Param(
        list(USUAL), help="What may be chosen from; a tensor takes only what its shape allows", advanced=True
    )
    text: Path | None = Param(
        None,
        help="A text or a dataset of the kind that the model will be used for; empty for the one that ships"
        " with Tenfold",
        suffixes=(".txt", ".md", ".jsonl", ".json", ".csv", ".tsv", ".parquet"),
    )
    imatrix: Path | None = Param(
        None,
        title="Importance matrix",
        help="The file that “Measure importance” made; empty to measure it on the same text",
        suffixes=(".gguf", ".dat", ".imatrix"),
        made_by="imatrix",
    )
    windows: int = Param(
        4, ge=1, le=10_000, unit="windows", help="How much of the text each group of tensors is measured on"
    )
    width: int = Param(256, ge=32, le=32_768, unit="tokens", help="How long a window is", advanced=True)
    groups: int = Param(
        50,
        ge=1,
        le=100_000,
        help="Into about how many groups the tensors go, each of which is measured once",
        advanced=True,
    )


@operation(
    "gguf-mixed",
    title="Quantize with mixed types",
    group="Quantize",
    input="gguf",
    output="gguf",
    backend="llama",
    applies=(
        fact("bits_per_weight").at_least(
            15, otherwise="Its weights are quantized already. Start from its full-precision parent."
        ),
    ),
    after=("gguf-convert",),
    excludes=("mlx-quantize", "gguf-quantize"),
    label="mixed-{size_of}",
    resumable=True,
)
def gguf_mixed(job: JobContext, model: Model, params: MixedParams) -> Path:
    """Measure which tensors suffer from fewer bits, and give the bits to those.

    A file type such as Q4_K_M mixes types by a fixed recipe, the same for every model. This measures the
    model at hand: the importance of each matrix's inputs on a text; how far each tensor's output moves in
    each type; and, with one group of tensors after the other stored in fewer bits, how far the model's
    predictions really move (KL divergence). Then each tensor gets the type with which the sum of all is
    least at the size that was asked for, and llama.cpp's own quantizer writes the file.

    What was measured is kept: going on after a pause loses nothing, and for another size of the same model
    little or nothing is measured again. Expected and measured divergence stand in the log.
    """
    library = ggml()
    types = check_types(library, params.types)
    text = fitting_text(params.text)
    importance: dict[str, Floats]
    if params.imatrix is not None:
        importance = read_imatrix(params.imatrix)
    else:
        kept = job.cache / "importance"
        importance = importance_of(measure_importance(job, model, text, Reading(), kept=kept).sums)
    search = Search(job, model, library, importance, types=types, text=text)
    budget = search.budget(params.size_of, params.bits_per_weight)
    if budget < search.smallest:
        raise ParameterError(
            "size_of" if params.bits_per_weight is None else "bits_per_weight",
            f"The smallest that {model.name} can be in these types is {search.bits(search.smallest):.2f} bits"
            f" per weight; {search.bits(budget):.2f} were asked for.",
            remedy="Allow more, or add smaller types.",
        )
    choice = search.run(budget, windows=params.windows, width=params.width, groups=params.groups)
    target = job.out / f"{job.output_name}.gguf"
    quantize_mixed(job, model, target, choice.types, importance)
    report_result(job, target, choice)
    return target
