"""Imports MLX and what stands on it, while the job still answers: the library of tokenizers takes seconds."""

from __future__ import annotations

from importlib import import_module

from workbench.plugin import JobContext, MissingExtraError


def import_mlx(job: JobContext) -> None:
    """Import mlx-lm and the part of transformers that reads tokenizers, which brings PyTorch where it is.

    Raises:
        MissingExtraError: One is not installed.
    """
    try:
        job.run_native(lambda: import_module("transformers.models.auto.tokenization_auto"))
        # In this thread: mlx-lm makes a stream when it is imported, and a stream belongs to its thread.
        import_module("mlx_lm")
    except ImportError as error:
        raise MissingExtraError("MLX (mlx-lm)", "mlx") from error
