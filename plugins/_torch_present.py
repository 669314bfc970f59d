"""Imports PyTorch and what stands on it, while the job still answers: that takes seconds."""

from __future__ import annotations

from importlib import import_module

from workbench.plugin import JobContext, MissingExtraError


def import_torch(job: JobContext, *more: str) -> None:
    """Import torch and transformers, and quiet the latter: its bars would fill the log.

    Args:
        more: Further modules of the same extra, for example `peft`.

    Raises:
        MissingExtraError: One is not installed.
    """

    def load() -> None:
        for name in ("torch", "transformers", "transformers.models.auto", *more):
            import_module(name)

    try:
        job.run_native(load)
    except ImportError as error:
        raise MissingExtraError("PyTorch with transformers and PEFT", "torch") from error
    import torch
    import transformers

    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(job.threads)
