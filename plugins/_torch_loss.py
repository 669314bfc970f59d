"""Cross-entropy over a large vocabulary without keeping the logits, on PyTorch."""

from __future__ import annotations

from typing import Any

#: Logits that are held at once, as numbers: 64 MB in float32.
_AT_ONCE = 16_000_000


def token_losses(hidden: Any, weight: Any, targets: Any) -> Any:
    """The cross-entropy of each token, with gradients for `hidden` and, where it is trained, `weight`.

    Logits are computed for a few positions at a time, and turned into gradients at once, so that the memory
    does not grow with positions × vocabulary (the idea of Cut Cross-Entropy, arXiv 2411.09009). What comes
    back may be weighted by position before it is summed.

    Args:
        hidden: Of the positions that are learned, shape (positions, width).
        weight: The output layer's, shape (vocabulary, width).
        targets: What each position has to predict, shape (positions,).

    Returns:
        Shape (positions,), in float32.
    """
    return _function().apply(hidden, weight, targets)


_made: list[Any] = []


def _function() -> Any:
    """The autograd function; made at the first call, as torch is not imported with the module."""
    if _made:
        return _made[0]
    import torch

    class TokenLosses(torch.autograd.Function):  # type: ignore[misc, unused-ignore]
        @staticmethod
        def forward(ctx: Any, hidden: Any, weight: Any, targets: Any) -> Any:
            found = torch.empty(len(targets), dtype=torch.float32, device=hidden.device)
            slopes = torch.empty_like(hidden) if ctx.needs_input_grad[0] else None
            for part in positions_at_once(len(targets), weight.shape[0]):
                logits = (hidden[part] @ weight.T).float()
                normalizers = torch.logsumexp(logits, dim=-1)
                found[part] = normalizers - logits.gather(1, targets[part, None])[:, 0]
                if slopes is not None:
                    error = _error(logits, normalizers, targets[part]).to(hidden.dtype)
                    torch.matmul(error, weight, out=slopes[part])
            ctx.save_for_backward(hidden, weight, targets, slopes)
            return found

        @staticmethod
        def backward(ctx: Any, factors: Any) -> Any:
            hidden, weight, targets, slopes = ctx.saved_tensors
            for_hidden = slopes * factors[:, None].to(slopes.dtype) if slopes is not None else None
            if not ctx.needs_input_grad[1]:
                return for_hidden, None, None
            # The weight's gradient mixes positions, so their factors have to be known: logits once more.
            for_weight = torch.zeros_like(weight)
            for part in positions_at_once(len(targets), weight.shape[0]):
                logits = (hidden[part] @ weight.T).float()
                error = _error(logits, torch.logsumexp(logits, dim=-1), targets[part])
                for_weight.addmm_((error * factors[part, None]).to(hidden.dtype).T, hidden[part])
            return for_hidden, for_weight, None

    def _error(logits: Any, normalizers: Any, targets: Any) -> Any:
        """The softmax less what was right, in place of the logits."""
        logits.sub_(normalizers[:, None]).exp_()
        places = targets[:, None]
        return logits.scatter_add_(1, places, torch.full_like(places, -1, dtype=logits.dtype))

    _made.append(TokenLosses)
    return TokenLosses


def positions_at_once(positions: int, vocabulary: int) -> list[slice]:
    """Pieces of a batch whose logits may be held together."""
    size = max(1, _AT_ONCE // vocabulary)
    return [slice(at, at + size) for at in range(0, positions, size)]
