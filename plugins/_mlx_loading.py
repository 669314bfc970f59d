"""Loads a model for training on MLX: its type, its adapter, and which of its weights are trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from plugins._mlx_adapter import Adapter, add_adapter
from plugins._mlx_memory import is_out_of_memory, on_gpu
from plugins._mlx_model_files import check_names
from plugins._no_remote_code import no_remote_code
from plugins._tuning_params import FinetuneParams
from plugins._tuning_selection import check_some, selection
from workbench.plugin import (
    ModelFileError,
    OutOfMemoryError,
    ParameterError,
    UnsafeModelError,
    WorkbenchError,
)

#: The 4 bits of QLoRA over a base that has more: MLX's usual, and smaller groups where a width asks for them.
_BITS, _GROUPS = 4, (64, 32)


def arithmetic(params: FinetuneParams) -> Any:
    """The type of the arithmetic.

    bfloat16 is what GPUs are fast with; a CPU computes it as float32 and rounds, which is slower.
    """
    import mlx.core as mx

    lower = params.precision == "bfloat16" or (params.precision == "auto" and on_gpu())
    return mx.bfloat16 if lower else mx.float32


def load_base(path: Path, params: FinetuneParams) -> Any:
    """The model in the type of the arithmetic; with method=qlora in 4 bits, unless its file has few already.

    Raises:
        ModelFileError: mlx-lm can't load it.
        ParameterError: All weights of a quantized model are to be trained.
        OutOfMemoryError: It does not fit.
    """
    import mlx.core as mx
    from mlx_lm.utils import load_model

    config = path / "config.json"
    if config.is_file() and "model_file" in config.read_text("utf-8", errors="replace"):
        # Old versions of mlx-lm would run the Python file that it names.
        raise UnsafeModelError(path, "its configuration names code of its own, which is never run.")
    with no_remote_code(path):
        try:
            # Nothing is read before it is asked for, so that no type is held beside another.
            model, _config = load_model(path, lazy=True)
            packed = is_quantized(model)
            if packed and params.method == "full":
                raise ParameterError(
                    "method",
                    f"The weights of {path.name} are quantized, and steps of training are finer than theirs.",
                    remedy="Train an adapter over it (method=qlora), or the model that it was made from.",
                )
            if params.method == "qlora" and not packed:
                _quantize(model)
            model.set_dtype(arithmetic(params))
            for _name, module in model.named_modules():
                if not module.children():
                    mx.eval(module.parameters())
            mx.eval(model.parameters())
        except (ValueError, KeyError, TypeError, AttributeError, OSError, RuntimeError, MemoryError) as error:
            if "trust_remote_code" in str(error):
                raise
            raise _explained(path, error) from error
    model.freeze()
    return model


def prepare(model: Any, params: FinetuneParams, path: Path, seed: int, base: str = "") -> Adapter | None:
    """Put an adapter in, or choose the weights of the model that are trained.

    Args:
        path: The model's folder, whose names of weights the result will have.
        seed: Of the adapter's first weights.
        base: What the adapter calls its base; the folder's name where empty.

    Raises:
        ParameterError: Nothing would be trained, or the settings exclude each other.
        ModelFileError: MLX has other names for these weights than the files.
    """
    from mlx.utils import tree_flatten

    adapter = None
    if params.method == "full":
        chosen = selection(params)
        weights = {name: each for name, each in tree_flatten(model.parameters()) if chosen(name)}
        check_some(list(weights), chosen)
        check_names(path, {name: tuple(each.shape) for name, each in weights.items()})
        modules = dict(model.named_modules())
        for name in weights:
            owner, _, leaf = name.rpartition(".")
            modules[owner].unfreeze(recurse=False, keys=[leaf])
    else:
        adapter = add_adapter(model, params, path, seed, base or path.name)
    if params.gradient_checkpointing:
        for block in model.layers:
            _compute_twice(block)
    return adapter


def is_quantized(model: Any) -> bool:
    """Whether weights are stored in few bits."""
    return any("scales" in module for _name, module in model.named_modules())


def _quantize(model: Any) -> None:
    """Hold the layers of the blocks in 4 bits; embeddings and the output layer stay, as with bitsandbytes."""
    import mlx.nn as nn

    def wanted(_name: str, module: Any) -> bool | dict[str, int]:
        if type(module) is not nn.Linear:
            return False
        size = next((each for each in _GROUPS if module.weight.shape[-1] % each == 0), 0)
        return {"group_size": size, "bits": _BITS} if size else False

    for block in model.layers:
        nn.quantize(block, class_predicate=wanted)


def _compute_twice(block: Any) -> None:
    """Keep nothing of a block's arithmetic for its gradients but the input, and compute it again then.

    The class of this one block is changed, not the class of all, as mlx-lm's `grad_checkpoint` does.
    """
    import mlx.core as mx

    once = type(block)

    class Checkpointed(once):  # type: ignore[misc, valid-type]
        def __call__(self, x: Any, *more: Any, **named: Any) -> Any:
            if not self.training:
                return once.__call__(self, x, *more, **named)

            def compute(weights: Any, x: Any) -> Any:
                self.update(weights)
                return once.__call__(self, x, *more, **named)

            return mx.checkpoint(compute)(self.trainable_parameters(), x)

    block.__class__ = Checkpointed


def _explained(path: Path, error: BaseException) -> WorkbenchError:
    if is_out_of_memory(error):
        return OutOfMemoryError(
            f"{path.name} itself does not fit into the memory.",
            remedy="Train with method=qlora, which holds it in 4 bits, or a smaller model.",
            details=str(error),
        )
    return ModelFileError(
        path, f"MLX can't load it: {error}", remedy="A newer mlx-lm may.", details=repr(error)
    )
