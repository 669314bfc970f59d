"""Writes a LoRA adapter in the form that llama.cpp loads beside a model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from plugins._adapter_base import Base, open_base
from plugins._adapter_changes import low_rank_of, parameters_changed, rows_of
from plugins._adapter_folder import Adapter, read_adapter
from plugins._adapter_places import place_of
from plugins._adapter_tensors import pieces
from plugins._gguf_converter import check_converter, open_converter, write_file
from plugins._no_remote_code import no_remote_code
from workbench.plugin import (
    Choice,
    JobContext,
    Model,
    ModelFileError,
    Param,
    ParameterError,
    Params,
    operation,
)

_BYTES = {"F16": 2, "F32": 4, "BF16": 2}


class AdapterToGgufParams(Params):
    adapter: Path = Param(..., help="The folder of a LoRA adapter in PEFT's form", suffixes=("/",))
    type: Literal["F16", "F32", "BF16"] = Param(
        "F16",
        help="How its matrices are stored",
        choices=(
            Choice(value="F16", help="The usual.", facts={"bits": 16.0}),
            Choice(value="F32", help="Exact, twice the size.", facts={"bits": 32.0}),
            Choice(value="BF16", help="Coarser steps, more range.", facts={"bits": 16.0}),
        ),
    )


@operation(
    "adapter-to-gguf",
    title="Convert adapter to GGUF",
    group="Fine-tune",
    input="hf",
    output="adapter",
    backend="torch",
    after=("gguf-dequantize",),
    label="LoRA-{type}",
    resumable=True,
    restarts=True,
)
def adapter_to_gguf(job: JobContext, model: Model, params: AdapterToGgufParams) -> Path:
    """Write a LoRA as a GGUF file, for llama.cpp to load beside the GGUF form of its base.

    It goes with every GGUF made from this model, whatever its quantization. llama.cpp's own converter tells
    where each weight is kept and in which order. A GGUF adapter holds low-rank changes of single weights and
    nothing else: a DoRA, or an adapter with biases, whole modules or single tokens, must be merged instead.
    The scale of an rsLoRA, or one that differs by module, is put into the numbers. The adapter is in memory
    whole. Resuming after a pause begins anew, with the same result.
    """
    check_converter()
    import gguf
    import torch

    target = job.out / f"{job.output_name}.gguf"
    with torch.inference_mode():
        adapter = read_adapter(params.adapter)
        base = open_base(model)
        modules = _modules(job, adapter, base)
        adapter.check_numbers(job.check)
        size = sum(adapter.stored(name).count for lora in adapter.lora.values() for name in (lora.a, lora.b))
        job.reserve(job.out, size * _BYTES[params.type])
        with no_remote_code(model.path):
            converter = open_converter(model.path, params.type, target)
            writer = converter.gguf_writer
            # llama.cpp's factor is alpha / rank with one alpha for all; what differs goes into lora_b.
            alpha = next((lora.scale * lora.rank for lora in adapter.lora.values() if lora.scale), 1.0)
            writer.add_type(gguf.GGUFType.ADAPTER)
            writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
            writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, alpha)
            writer.add_name(job.output_name)
            writer.add_base_model_count(1)
            writer.add_base_model_name(0, model.name)
            for number, module in enumerate(modules):
                job.progress(number, len(modules), unit="modules", label=module)
                for name, matrix in _matrices(job, adapter, base, converter, module, alpha):
                    _add(writer, name, matrix, params.type)
        write_file(job, writer, target)
    return target


def _modules(job: JobContext, adapter: Adapter, base: Base) -> list[str]:
    """The modules whose weights an adapter changes, if that is all that it does.

    Raises:
        ModelFileError: It does not fit the base, or does what a GGUF adapter can't hold.
    """
    parameters_changed(adapter, base)
    for parameter in adapter.replaced:
        # PEFT saves the embedding beside a LoRA on it, mostly unchanged.
        if not _is_unchanged(job, adapter, base, parameter):
            raise _refused(adapter, f"it holds {parameter} whole, which a GGUF adapter can't.")
    if adapter.rows:
        raise _refused(adapter, f"it holds tokens of {next(iter(adapter.rows))}, which a GGUF adapter can't.")
    for module, lora in adapter.lora.items():
        if lora.magnitude is not None:
            raise _refused(adapter, "it is a DoRA, whose magnitudes a GGUF adapter can't hold.")
        if lora.bias is not None:
            raise _refused(adapter, f"it changes the bias of {module}, which a GGUF adapter can't.")
        if f"{module}.weight" in {*base.shared, *base.shared.values()}:
            raise _refused(
                adapter, f"it changes {module}, which llama.cpp takes for tokens and output alike."
            )
    if not adapter.lora:
        raise _refused(adapter, "it holds no low-rank change.")
    return list(adapter.lora)


def _is_unchanged(job: JobContext, adapter: Adapter, base: Base, parameter: str) -> bool:
    stand_in = adapter.replaced[parameter]
    for start, stop in pieces(adapter.stored(stand_in).shape):
        job.check()
        own = adapter.file.rows(stand_in, start, stop).float()
        if not bool((own == rows_of(base, parameter, start, stop)).all()):
            return False
    return True


def _matrices(
    job: JobContext, adapter: Adapter, base: Base, converter: Any, module: str, alpha: float
) -> Iterator[tuple[str, Any]]:
    """The two matrices of a module as llama.cpp multiplies with them, named."""
    parameter = f"{module}.weight"
    tensor = str(base.own_tensor_of(parameter))
    left, right = low_rank_of(adapter, base, module)
    shape = (left.shape[0], right.shape[1])
    place = job.run_native(lambda: place_of(converter, base.path, tensor, shape))
    left, right = left[place.rows], right[:, place.columns]
    a, b = (left.T, right.T) if place.turned else (right, left)
    lora = adapter.lora[module]
    if place.name == "token_embd.weight":
        # Tokens are looked up in lora_a, so that the two lie the other way round (build_inp_embd).
        a, b = b, a.T
    yield f"{place.name}.lora_a", a
    yield f"{place.name}.lora_b", b * (lora.scale * lora.rank / alpha)


def _add(writer: Any, name: str, matrix: Any, type: str) -> None:
    import gguf

    if type == "F16" and float(matrix.abs().max()) > 65504:
        raise ParameterError("type", f"{name} holds numbers too large for F16.", remedy="Choose BF16 or F32.")
    kind = gguf.GGMLQuantizationType[type]
    writer.add_tensor(name, gguf.quants.quantize(matrix.contiguous().numpy(), kind), raw_dtype=kind)


def _refused(adapter: Adapter, reason: str) -> ModelFileError:
    remedy = "Merge it into the model instead, and convert the result."
    return ModelFileError(adapter.path, reason, remedy=remedy)
