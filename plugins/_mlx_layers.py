"""The layers of an adapter on MLX: mlx-lm's, with dropout by key and a DoRA that is quick to ask."""

from __future__ import annotations

from functools import cache
from typing import Any


def adapted_layer(plain: Any, *, rank: int, scale: float, dropout: float, dora: bool) -> Any:
    """A linear layer with LoRA or DoRA beside it.

    Attributes of it: `lora_a` of shape (inputs, rank), `lora_b` of shape (rank, outputs), and with DoRA the
    lengths of the weight's rows, `m`.
    """
    from mlx_lm.tuner.lora import LoRALinear

    outputs, inputs = plain.weight.shape
    if "scales" in plain:
        # Packed; mlx-lm's own reckoning is right for 2, 4 and 8 bits alone.
        inputs = plain.scales.shape[-1] * plain.group_size
    made = (_dora() if dora else LoRALinear)(inputs, outputs, r=rank, scale=scale)
    if dora:
        made.set_linear(plain)
    else:
        made.linear = plain
    made.dropout = _dropout()(dropout)
    return made


@cache
def _dora() -> Any:
    """The class, made at the first call, as MLX is not imported with the module."""
    import mlx.core as mx
    from mlx_lm.tuner.dora import DoRALinear

    class Dora(DoRALinear):  # type: ignore[misc]
        """DoRA that computes the lengths of its rows once an evaluation, not once a token."""

        def __init__(self, *arguments: Any, **more: Any) -> None:
            self._lengths: Any = None
            super().__init__(*arguments, **more)

        def _set_training_mode(self, mode: bool) -> None:
            super()._set_training_mode(mode)
            self._lengths = None

        def __call__(self, x: Any) -> Any:
            if self.training:
                return super().__call__(x)
            if self._lengths is None:
                change = (self.scale * self.lora_b.T) @ self.lora_a.T
                self._lengths = mx.linalg.norm(self._dequantized_weight() + change, axis=1)
                mx.eval(self._lengths)
            factor = self.m / self._lengths
            added = self.scale * ((x @ self.lora_a) @ self.lora_b)
            found = factor * (self.linear(x) + added)
            if "bias" in self.linear:
                found = found + (1 - factor) * self.linear.bias
            return found.astype(x.dtype)

    return Dora


@cache
def _dropout() -> Any:
    import mlx.core as mx
    import mlx.nn as nn

    class KeyedDropout(nn.Module):  # type: ignore[misc]
        """Dropout whose choice is a function of its key alone.

        MLX's own takes the next number of a global state: computed a second time, for gradient checkpointing,
        it would drop something else.
        """

        def __init__(self, share: float) -> None:
            super().__init__()
            self._kept = 1 - share
            self._key: Any = None

        def draw(self, key: Any) -> None:
            self._key = key

        def __call__(self, x: Any) -> Any:
            if self._kept == 1 or not self.training:
                return x
            return mx.random.bernoulli(self._kept, x.shape, key=self._key) * x / self._kept

    return KeyedDropout
