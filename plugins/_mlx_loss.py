"""Cross-entropy over a large vocabulary without keeping the logits, on MLX."""

from __future__ import annotations

from typing import Any

from plugins._mlx_memory import on_gpu

#: Logits that are held at once, as numbers: 16 MB in float32. MLX has about ten arrays under way at a time.
_AT_ONCE = 4_000_000
#: An output layer up to this size is kept a second time, turned, on a CPU.
_TURNED_BYTES = 1 << 28


class Head:
    """An output layer: `nn.Linear`, an embedding that is used for both ends, or either in few bits.

    Attributes:
        learns: Whether its own weights are trained.
    """

    def __init__(self, module: Any) -> None:
        import mlx.core as mx
        import mlx.nn as nn

        self._mx = mx
        self._module = module
        self._is_embedding = isinstance(module, nn.Embedding | nn.QuantizedEmbedding)
        self._packed = "scales" in module
        self.learns = bool(module.trainable_parameters())
        self._turned: Any = None

    def hasten(self) -> None:
        """Keep a small layer a second time where that makes its product faster."""
        mx, weight = self._mx, self._module.weight
        if not self.learns and not self._packed and not on_gpu() and weight.nbytes <= _TURNED_BYTES:
            # The BLAS of MLX's wheels for Linux takes twice as long for a product with a transposed matrix.
            self._turned = mx.contiguous(weight.T)

    @property
    def module(self) -> Any:
        return self._module

    @property
    def vocabulary(self) -> int:
        return int(self._module.weight.shape[0])

    def logits(self, hidden: Any) -> Any:
        """Shape (…, vocabulary)."""
        if self._turned is not None:
            found = hidden @ self._turned
            return found + self._module.bias if "bias" in self._module else found
        return self._module.as_linear(hidden) if self._is_embedding else self._module(hidden)

    def back(self, slopes: Any) -> Any:
        """The gradient of the hidden state, from that of the logits."""
        module = self._module
        if not self._packed:
            return slopes @ module.weight
        return self._mx.quantized_matmul(
            slopes,
            module.weight,
            module.scales,
            module.get("biases"),
            transpose=False,
            group_size=module.group_size,
            bits=module.bits,
            mode=module.mode,
        )

    def rows(self, tokens: Any) -> Any:
        """The weights of some tokens, shape (tokens, width)."""
        module = self._module
        if not self._packed:
            return module.weight[tokens]
        biases = module.get("biases")
        return self._mx.dequantize(
            module.weight[tokens],
            module.scales[tokens],
            biases[tokens] if biases is not None else None,
            group_size=module.group_size,
            bits=module.bits,
            mode=module.mode,
        )


def token_losses(head: Head, hidden: Any, targets: Any, *, gradients: bool) -> Any:
    """The cross-entropy of each token.

    Logits are computed for a few positions at a time, and with `gradients` turned into those of `hidden` at
    once, so that the memory does not grow with positions × vocabulary (the idea of Cut Cross-Entropy, arXiv
    2411.09009), and each exponential is computed once. An output layer that is trained itself computes its
    logits a second time instead.

    Args:
        hidden: Of the positions that are learned, shape (positions, width).
        targets: What each position has to predict, shape (positions,).

    Returns:
        Shape (positions,), in float32.
    """
    import mlx.core as mx
    import mlx.nn as nn

    found = []
    pieces = positions_at_once(hidden.shape[0], head.vocabulary)
    for piece in pieces:
        part, wanted = hidden[piece], targets[piece]
        if not gradients:
            found.append(cross_entropy(head.logits(part), wanted))
        elif head.learns:
            compute = _computed(head, wanted)
            found.append((nn.utils.checkpoint(head.module, compute) if len(pieces) > 1 else compute)(part))
        else:
            found.append(_with_slopes(head, wanted)(part)[0])
    return mx.concatenate(found)


def positions_at_once(positions: int, vocabulary: int) -> list[slice]:
    """Pieces of a batch whose logits may be held together."""
    size = max(1, _AT_ONCE // vocabulary)
    return [slice(at, at + size) for at in range(0, positions, size)]


def cross_entropy(logits: Any, targets: Any) -> Any:
    """The cross-entropy of each row of logits, in float32, by plain arithmetic."""
    import mlx.core as mx

    logits = logits.astype(mx.float32)
    right = mx.take_along_axis(logits, targets[:, None], axis=-1)[:, 0]
    return mx.logsumexp(logits, axis=-1) - right


def _computed(head: Head, targets: Any) -> Any:
    return lambda hidden: cross_entropy(head.logits(hidden), targets)


def _with_slopes(head: Head, targets: Any) -> Any:
    """Losses, and the gradient of each by its own hidden state, computed along with it."""
    import mlx.core as mx

    @mx.custom_function  # type: ignore[untyped-decorator, unused-ignore]
    def compute(hidden: Any) -> Any:
        logits = head.logits(hidden).astype(mx.float32)
        largest = logits.max(axis=-1, keepdims=True)
        shares = mx.exp(logits - largest)
        total = shares.sum(axis=-1, keepdims=True)
        right = mx.take_along_axis(logits, targets[:, None], axis=-1)
        losses = (mx.log(total) + largest - right)[:, 0]
        # The softmax less what was right, times the weights.
        slopes = head.back(shares.astype(hidden.dtype)) / total - head.rows(targets)
        return losses, slopes

    @compute.vjp  # type: ignore[untyped-decorator, unused-ignore]
    def back(hidden: Any, factors: Any, outputs: Any) -> Any:
        return (outputs[1] * factors[0][:, None]).astype(hidden.dtype)

    return compute
