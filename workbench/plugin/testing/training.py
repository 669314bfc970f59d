"""Tries a plugin's training method on random numbers, for the plugin's own tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from workbench.errors import PluginError
from workbench.params import validate
from workbench.plugin.training import training_methods_in

_POSITIONS, _VOCABULARY = 7, 11


def check_training_method(loss: Callable[..., Any], *, seed: int = 0, **options: Any) -> float:
    """Call a loss as fine-tuning does, and see that it is one; needs PyTorch.

    Args:
        loss: The function that `training_method` declared.
        seed: Of the numbers that it is tried on.
        **options: Values of its options.

    Returns:
        The mean loss.

    Raises:
        PluginError: It is none, or gives another shape, no number, no gradient, other losses the second time,
            or for some positions other losses than beside the rest.
        ParameterError: A value of an option is wrong.
    """
    import torch

    methods = training_methods_in({"loss": loss})
    if not methods:
        raise PluginError(
            "This function is no training method.", remedy="Declare it with training_method(…)."
        )
    method = methods[0]
    values = method.params(**validate(method.fields, options))
    made = torch.Generator().manual_seed(seed)
    shape = (_POSITIONS,) if method.pairs else (_POSITIONS, _VOCABULARY)
    first = torch.randn(shape, generator=made).requires_grad_()
    second = (
        torch.randn(shape, generator=made)
        if method.pairs
        else torch.randint(0, _VOCABULARY, (_POSITIONS,), generator=made)
    )

    def called(part: slice) -> Any:
        torch.manual_seed(seed)
        found = method.loss(first[part], second[part], values)
        if not isinstance(found, torch.Tensor):
            raise PluginError(f"{method.name} gave {type(found).__name__!r}, not a tensor.")
        return found

    whole = called(slice(None))
    if whole.shape != (_POSITIONS,):
        raise PluginError(f"{method.name} gave the shape {tuple(whole.shape)}, not {(_POSITIONS,)}.")
    if not bool(whole.isfinite().all()):
        raise PluginError(f"{method.name} gave a loss that is no number.")
    if not whole.requires_grad:
        raise PluginError(f"{method.name} gave a loss without a gradient.")
    (slope,) = torch.autograd.grad(whole.sum(), first)
    if not bool(slope.isfinite().all()) or not bool(slope.any()):
        raise PluginError(f"The gradient of {method.name} is nought, or no number.")
    if not torch.allclose(called(slice(None)), whole):
        raise PluginError(f"{method.name} gave other losses the second time: it must keep nothing.")
    if not torch.allclose(called(slice(2, 5)), whole[2:5]):
        raise PluginError(f"The losses of {method.name} change with the positions beside them.")
    return float(whole.detach().mean())
