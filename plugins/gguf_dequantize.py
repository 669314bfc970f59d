"""Turns a GGUF model back into a safetensors folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from plugins._gguf_pre_tokenizer import know_pre_tokenizers
from plugins._no_remote_code import no_remote_code
from workbench.plugin import (
    Choice,
    JobContext,
    MissingExtraError,
    Model,
    ModelFileError,
    Param,
    Params,
    operation,
)

#: The name that torch has for each type, and the bytes of a weight.
_TYPES = {"BF16": ("bfloat16", 2), "F16": ("float16", 2), "F32": ("float32", 4)}


class GgufDequantizeParams(Params):
    type: Literal["BF16", "F16", "F32"] = Param(
        "BF16",
        help="How the weights are stored",
        choices=(
            Choice(value="BF16", help="What most models were trained in.", facts={"bits": 16.0}),
            Choice(value="F16", help="Finer steps, less range.", facts={"bits": 16.0}),
            Choice(value="F32", help="Keeps every bit of the dequantized weights.", facts={"bits": 32.0}),
        ),
    )


@operation(
    "gguf-dequantize",
    title="Convert to safetensors",
    group="Convert",
    input="gguf",
    output="hf",
    backend="torch",
    before=("gguf-convert", "mlx-quantize"),
    label="{type}",
    resumable=True,
    restarts=True,
)
def gguf_dequantize(job: JobContext, model: Model, params: GgufDequantizeParams) -> Path:
    """Unpack a GGUF model into a safetensors folder that transformers, PEFT and MLX read.

    What quantization took away does not come back: the weights are those that llama.cpp computes with.
    The tokenizer and the chat template come along. The whole model is in memory once, in the chosen type.
    Resuming after a pause begins anew, with the same result.
    """
    try:
        import torch
        import transformers
        from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig
    except ImportError as error:
        raise MissingExtraError("PyTorch with transformers", "torch") from error
    if len(model.facts.files) > 1:
        raise ModelFileError(
            model.path,
            "it is split into parts, which transformers can't read.",
            remedy="Merge it first: Quantize it to the type that it has, which writes one file.",
        )
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    job.reserve(job.out, model.facts.parameters * _TYPES[params.type][1])
    folder, name = str(model.path.parent), model.path.name
    target = job.out / job.output_name
    with no_remote_code(model.path), _tensors_told(job):
        try:
            loaded = AutoModelForCausalLM.from_pretrained(
                folder,
                gguf_file=name,
                dtype=getattr(torch, _TYPES[params.type][0]),
                quantization_config=GgufConfig(dequantize=True),
            )
        except (ValueError, KeyError, NotImplementedError) as error:
            raise ModelFileError(
                model.path, f"transformers can't unpack it: {error}", details=repr(error)
            ) from error
        job.check()
        know_pre_tokenizers()
        tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=name)
    # The weights are plain now: a loader that still reads “quantized” here would look for packed ones.
    if hasattr(loaded.config, "quantization_config"):
        del loaded.config.quantization_config
    job.log("Writing the folder.")
    loaded.save_pretrained(target)
    job.check()
    tokenizer.save_pretrained(target)
    return target


@contextmanager
def _tensors_told(job: JobContext) -> Iterator[None]:
    """Report each tensor that transformers unpacks, at the place where it would draw a bar of its own."""
    from transformers import modeling_gguf_pytorch_utils as reader

    def told(tensors: Iterable[Any], **_options: Any) -> Iterator[Any]:
        listed = list(tensors)
        for number, tensor in enumerate(listed):
            job.progress(number, len(listed), unit="tensors", label=tensor.name)
            yield tensor
            job.throughput(int(tensor.n_bytes), unit="B")
        job.progress(len(listed), len(listed), unit="tensors", label="Writing")

    kept = reader.tqdm
    reader.tqdm = told
    try:
        yield
    finally:
        reader.tqdm = kept
