"""What operations that quantize with mlx-lm share: loading a folder, and computing it layer by layer."""

from __future__ import annotations

from typing import Any

from plugins._no_remote_code import no_remote_code
from workbench.plugin import JobContext, Model, ModelFileError


def load_lazily(model: Model) -> tuple[Any, Any, dict[str, Any]]:
    """A model, its tokenizer and its configuration; weights are read when they are asked for.

    Raises:
        ModelFileError: mlx-lm can't load it.
    """
    from mlx_lm.utils import load

    with no_remote_code(model.path):
        try:
            loaded, tokenizer, config = load(str(model.path), lazy=True, return_config=True)
        except (ValueError, KeyError) as error:
            raise ModelFileError(
                model.path, f"MLX can't load it: {error}", remedy="A newer mlx-lm may.", details=repr(error)
            ) from error
    return loaded, tokenizer, config


def compute_layers(job: JobContext, loaded: Any) -> None:
    """MLX computes when a value is needed; asking layer by layer makes progress real and keeps memory low."""
    import mlx.core as mx

    layers = [(name, module) for name, module in loaded.named_modules() if not module.children()]
    for number, (name, module) in enumerate(layers):
        job.progress(number, len(layers), unit="layers", label=name)
        parameters = module.parameters()
        mx.eval(parameters)
        job.throughput(sum(each.nbytes for each in parameters.values() if hasattr(each, "nbytes")), unit="B")
    job.progress(len(layers), len(layers), unit="layers", label="Writing")
