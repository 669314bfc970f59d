"""Quantizes a GGUF model with llama.cpp."""

from __future__ import annotations

import ctypes
import re
from pathlib import Path
from typing import Any

from plugins._imatrix import Floats, read_imatrix
from plugins._llama_log import LlamaLog
from plugins._llama_types import BITS, CHOICES, NEEDS_IMATRIX, FileType, constant
from workbench.plugin import (
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
)

#: Types whose weights are exact enough to quantize from.
_FULL_TYPES = frozenset({"F64", "F32", "F16", "BF16", "I8", "I16", "I32", "I64"})
_MIB = 1 << 20


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
        help="Which columns matter most, measured by llama-imatrix on a text; better at 4 bits and below",
        suffixes=(".gguf", ".dat", ".imatrix"),
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
    llama = _llama_cpp()
    native = llama.llama_model_quantize_default_params()
    native.nthread = job.threads
    native.ftype = getattr(llama, constant(params.type))
    native.pure = params.pure
    native.keep_split = params.keep_split
    native.allow_requantize = params.allow_requantize
    if params.output_type:
        native.output_tensor_type = _tensor_type(llama, "output_type", params.output_type)
    if params.embedding_type:
        native.token_embedding_type = _tensor_type(llama, "embedding_type", params.embedding_type)
    # The struct holds plain pointers: what they point to must live until the call has returned.
    alive = [
        _set_overrides(llama, native, params.overrides),
        _set_imatrix(job, llama, native, params.imatrix),
    ]
    job.reserve(job.out, int(model.facts.parameters * BITS[params.type] / 8))
    target = job.out / f"{job.output_name}.gguf"
    _quantize(job, llama, model, target, native)
    del alive
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
            remedy="Make one with llama-imatrix and name it, or choose a type of 3 bits or more.",
        )
    for pattern in params.overrides:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ParameterError("overrides", f"“{pattern}” is no regular expression: {error}.") from error


def _llama_cpp() -> Any:
    try:
        import llama_cpp
    except ImportError as error:
        raise MissingExtraError("llama.cpp (llama-cpp-python)", "llama") from error
    return llama_cpp


def _tensor_type(llama: Any, parameter: str, name: str) -> int:
    for known in dir(llama):
        if known.upper() == f"GGML_TYPE_{name.strip().upper()}" and known != "GGML_TYPE_COUNT":
            return int(getattr(llama, known))
    names = ", ".join(sorted(each[10:] for each in dir(llama) if each.startswith("GGML_TYPE_")))
    raise ParameterError(parameter, f"llama.cpp has no tensor type “{name}”.", remedy=f"It has: {names}.")


def _set_overrides(llama: Any, native: Any, overrides: dict[str, str]) -> Any:
    if not overrides:
        return None
    struct = llama.llama_model_tensor_override
    # The array ends with an entry that has no pattern.
    array = (struct * (len(overrides) + 1))()
    for entry, (pattern, name) in zip(array, overrides.items(), strict=False):
        entry.pattern = pattern.encode()
        entry.type = _tensor_type(llama, "overrides", name)
    native.tt_overrides = ctypes.cast(array, ctypes.POINTER(struct))
    return array


def _set_imatrix(job: JobContext, llama: Any, native: Any, path: Path | None) -> Any:
    if path is None:
        return None
    matrix: dict[str, Floats] = read_imatrix(path)
    job.log(f"The importance matrix covers {len(matrix)} tensors.")
    struct = llama.llama_model_imatrix_data
    array = (struct * (len(matrix) + 1))()
    for entry, (name, values) in zip(array, matrix.items(), strict=False):
        entry.name = name.encode()
        entry.data = values.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
        entry.size = values.size
    native.imatrix = ctypes.cast(array, ctypes.POINTER(struct))
    return array, matrix


def _quantize(job: JobContext, llama: Any, model: Model, target: Path, native: Any) -> None:
    def on_tensor(number: int, total: int, name: str, mib_before: float) -> None:
        # llama.cpp tells a tensor when it begins with it: the ones before are done.
        job.throughput(mib_before * _MIB, unit="B")
        job.progress(number - 1, total, unit="tensors", label=name)
        last[0] = total

    last = [0]
    with LlamaLog(llama, on_tensor) as log:
        source = str(model.path).encode()
        failed = job.run_native(
            lambda: llama.llama_model_quantize(source, str(target).encode(), ctypes.byref(native))
        )
    if failed or not any(target.parent.glob("*.gguf")):
        raise _failure(model, log)
    for line in list(log.lines)[-2:]:
        job.log(line.partition(": ")[2] or line)
    job.progress(last[0], last[0], unit="tensors", label="Written")


def _failure(model: Model, log: LlamaLog) -> WorkbenchError:
    said = [line for line in log.errors if "failed to quantize" in line] or list(log.errors)
    reason = said[-1].rpartition("failed to quantize: ")[2].strip() if said else "it gave no reason"
    return WorkbenchError(
        f"llama.cpp could not quantize {model.path.name}: {reason}.",
        remedy="The details hold its last words; another type or no overrides may work.",
        details="\n".join(log.lines),
    )
