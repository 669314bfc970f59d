"""Quantizes a safetensors model with bitsandbytes."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from plugins._adapter_base import skeleton
from plugins._model_files import copy_texts, full_precision_config
from plugins._torch_loading import device, load_causal
from plugins._torch_present import import_torch
from workbench.plugin import (
    Choice,
    JobContext,
    MissingExtraError,
    Model,
    Param,
    ParameterError,
    Params,
    Search,
    WorkbenchError,
    fact,
    operation,
    setting,
)

_FOUR_BITS = (setting("type").one_of("nf4", "fp4"),)


class BnbQuantizeParams(Params):
    """What a person can set of a quantization with bitsandbytes."""

    type: Literal["nf4", "fp4", "int8"] = Param(
        "nf4",
        help="How a weight is stored",
        choices=(
            Choice(
                value="nf4",
                title="NF4",
                help="4 bits, with steps that suit normally distributed weights: the usual; 2305.14314.",
                facts={"bits": 4.13},
            ),
            Choice(value="fp4", title="FP4", help="4-bit floats; rarely better.", facts={"bits": 4.13}),
            Choice(
                value="int8",
                title="INT8",
                help="8 bits; outliers among the activations are computed in 16; 2208.07339.",
                facts={"bits": 8.02},
            ),
        ),
        search=Search(values=("nf4", "fp4", "int8")),
    )
    double_quant: bool = Param(
        True,
        help="Quantize the scales, too: saves 0.37 bits a weight, costs nothing to speak of",
        shown_when=_FOUR_BITS,
    )
    compute_type: Literal["as-is", "float32", "bfloat16", "float16"] = Param(
        "as-is",
        help="What a layer's weights are turned into to compute with; as-is for what they were stored in",
        shown_when=_FOUR_BITS,
        advanced=True,
    )
    threshold: float = Param(
        6.0,
        ge=0,
        le=1000,
        help="Activations above this are computed in 16 bits; 0 for none",
        shown_when=(setting("type").equals("int8"),),
        advanced=True,
    )
    keep: list[str] = Param(
        [],
        help="More layers that stay as they are, by the end of their names, for example o_proj,down_proj",
        advanced=True,
    )


@operation(
    "bnb-quantize",
    title="Quantize with bitsandbytes",
    group="Quantize",
    input="hf",
    output="hf",
    backend="torch",
    applies=(
        fact("bits_per_weight").at_least(
            15, otherwise="Its weights are quantized already. Start from its full-precision parent."
        ),
    ),
    after=("drop-layers", "distill", "merge-adapter", "gguf-dequantize"),
    excludes=("gguf-convert", "gguf-quantize", "gguf-mixed", "mlx-quantize", "mlx-mixed"),
    label="bnb-{type}",
    resumable=True,
    restarts=True,
)
def bnb_quantize(job: JobContext, model: Model, params: BnbQuantizeParams) -> Path:
    """Store the linear layers of a model in 4 or 8 bits, as transformers, PEFT and vLLM load them.

    4 bits: each 64 weights share a scale, and each weight is one of 16 steps (QLoRA, arXiv 2305.14314). 8
    bits: each row has a scale, and columns with outliers are computed in 16 bits (LLM.int8, arXiv
    2208.07339). Embeddings, norms and the output layer stay as they are. No text is needed.

    Made for CUDA; it also runs on a processor, for small models and slowly in 8 bits. Resuming after a pause
    begins anew, with the same result.
    """
    import_torch(job)
    import torch

    if find_spec("bitsandbytes") is None:
        raise MissingExtraError("bitsandbytes, which runs on Linux and Windows,", "bnb")
    config = full_precision_config(model.path, "bitsandbytes starts from full precision")
    stored = str(config.get("dtype") or config.get("torch_dtype") or "float32").removeprefix("torch.")
    kept = job.run_native(lambda: _kept(model.path, params.keep))
    settings = _settings(params, kept, getattr(torch, stored, torch.float32))
    job.reserve(job.out, model.facts.size_bytes // 2)
    job.progress(0, 2, unit="steps", label="Quantizing")
    place = {"": device()}
    loaded = job.run_native(
        lambda: load_causal(model.path, "auto", quantization_config=settings, device_map=place)
    )
    job.progress(1, 2, unit="steps", label="Writing")
    target = job.out / job.output_name
    job.run_native(lambda: loaded.save_pretrained(target, safe_serialization=True))
    copy_texts(model.path, target)
    job.progress(2, 2, unit="steps", label="Written")
    return target


def _settings(params: BnbQuantizeParams, kept: list[str], stored: Any) -> Any:
    import torch
    from transformers import BitsAndBytesConfig

    if params.type == "int8":
        return BitsAndBytesConfig(
            load_in_8bit=True, llm_int8_threshold=params.threshold, llm_int8_skip_modules=kept
        )
    compute = stored if params.compute_type == "as-is" else getattr(torch, params.compute_type)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type=params.type,
        bnb_4bit_use_double_quant=params.double_quant,
        bnb_4bit_compute_dtype=compute,
        llm_int8_skip_modules=kept,
    )


def _kept(folder: Path, named: list[str]) -> list[str]:
    """The names of the layers that stay: the output layer, and those that were named.

    Raises:
        ParameterError: A name is none, or nothing is left to quantize.
        WorkbenchError: The model has no linear layer beside its output.
    """
    import torch

    empty = skeleton(folder)
    output = empty.get_output_embeddings()
    linear = [name for name, each in empty.named_modules() if isinstance(each, torch.nn.Linear)]
    inner = [name for name in linear if empty.get_submodule(name) is not output]
    if not inner:
        raise WorkbenchError("The model has no linear layer that bitsandbytes can quantize.")
    for each in named:
        if not any(name.endswith(each) for name in linear):
            raise ParameterError("keep", f"The model has no linear layer whose name ends in {each!r}.")
    if all(any(name.endswith(each) for each in named) for name in inner):
        raise ParameterError("keep", "With these, every layer of the model stays as it is.")
    return [*(name for name in linear if name not in inner), *named]
