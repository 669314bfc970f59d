"""Quantizes a GGUF model with llama.cpp."""

from __future__ import annotations

import re
from pathlib import Path

from plugins._imatrix import read_imatrix
from plugins._llama_quantizer import LlamaQuantizer
from plugins._llama_types import BITS, CHOICES, NEEDS_IMATRIX, FileType
from workbench.plugin import (
    JobContext,
    Model,
    Param,
    ParameterError,
    Params,
    Search,
    fact,
    operation,
)

#: Types whose weights are exact enough to quantize from.
_FULL_TYPES = frozenset({"F64", "F32", "F16", "BF16", "I8", "I16", "I32", "I64"})


class GgufQuantizeParams(Params):
    type: FileType = Param(
        "Q4_K_M",
        help="The type that most weights get; llama.cpp keeps some tensors in better ones",
        choices=CHOICES,
        search=Search(values=("Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "IQ4_XS", "Q3_K_M", "IQ3_M", "Q2_K")),
    )
    imatrix: Path | None = Param(
        None,
        title="Importance matrix",
        help="The file that “Measure importance” or llama-imatrix made, which says what columns matter most;"
        " better at 4 bits and below",
        suffixes=(".gguf", ".dat", ".imatrix"),
        made_by="imatrix",
    )
    overrides: dict[str, str] = Param(
        {},
        title="Tensor overrides",
        help="Another type for tensors whose name matches a regular expression, as attn_v=Q8_0",
        advanced=True,
    )
    output_type: str = Param(
        "",
        title="Output layer type",
        help="Another type for the output layer, as Q8_0; empty for the usual",
        advanced=True,
    )
    embedding_type: str = Param(
        "",
        title="Embedding type",
        help="Another type for the token embeddings, as Q8_0; empty for the usual",
        advanced=True,
    )
    pure: bool = Param(False, help="One type for all tensors, without llama.cpp's mixture", advanced=True)
    keep_split: bool = Param(
        False,
        title="Keep split",
        help="Write as many parts as the model has; one file otherwise",
        advanced=True,
    )
    allow_requantize: bool = Param(
        False,
        title="Allow requantizing",
        help="Quantize weights that are quantized already; loses more than starting from full precision",
        advanced=True,
    )


@operation(
    "gguf-quantize",
    title="Quantize",
    group="Quantize",
    input="gguf",
    output="gguf",
    backend="llama",
    advised=(
        fact("bits_per_weight").at_least(
            15,
            otherwise="Its weights are quantized already. Convert it to safetensors and back to an F16 GGUF "
            "first, or allow requantizing.",
        ),
    ),
    after=("gguf-convert",),
    excludes=("mlx-quantize",),
    label="{type}",
    resumable=True,
    restarts=True,
)
def gguf_quantize(job: JobContext, model: Model, params: GgufQuantizeParams) -> Path:
    """Store the weights of a GGUF model in fewer bits, with llama.cpp's own quantizer.

    The result is the file that llama.cpp's `llama-quantize` makes with the same settings. Start from full
    precision (F16, BF16 or F32): quantizing twice loses twice. Types below 3 bits need an importance matrix,
    and every type at 4 bits or below gains from one.

    The quantizer works tensor by tensor and can't be left in between. Pausing gives its memory back at
    once; resuming starts this file anew, and the result is the same.
    """
    _check(model, params)
    quantizer = LlamaQuantizer(params.type)
    native = quantizer.native
    native.pure = params.pure
    native.keep_split = params.keep_split
    native.allow_requantize = params.allow_requantize
    if params.output_type:
        native.output_tensor_type = quantizer.tensor_type("output_type", params.output_type)
    if params.embedding_type:
        native.token_embedding_type = quantizer.tensor_type("embedding_type", params.embedding_type)
    quantizer.set_overrides(params.overrides)
    if params.imatrix is not None:
        matrix = read_imatrix(params.imatrix)
        job.log(f"The importance matrix covers {len(matrix)} tensors.")
        quantizer.set_imatrix(matrix)
    job.reserve(job.out, int(model.facts.parameters * BITS[params.type] / 8))
    target = job.out / f"{job.output_name}.gguf"
    quantizer.run(job, model, target)
    if params.keep_split:
        parts = sorted(job.out.glob("*.gguf"))
        return parts[0] if parts else target
    return target


def _check(model: Model, params: GgufQuantizeParams) -> None:
    """What llama.cpp would refuse minutes later, in words."""
    quantized = sorted({group.type for group in model.facts.groups} - _FULL_TYPES)
    if quantized and not params.allow_requantize:
        raise ParameterError(
            "allow_requantize",
            f"{model.name} is quantized already ({', '.join(quantized)}).",
            remedy="Start from its full-precision parent, or allow requantizing and accept the loss.",
        )
    if params.type in NEEDS_IMATRIX and params.imatrix is None:
        raise ParameterError(
            "imatrix",
            f"{params.type} needs an importance matrix.",
            remedy="Make one with “Measure importance” and name it, or choose a type of 3 bits or more.",
        )
    for pattern in params.overrides:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ParameterError("overrides", f"“{pattern}” is no regular expression: {error}.") from error
