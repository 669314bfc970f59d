"""The losses of a causal model on PyTorch, computed for what is learned alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plugins._torch_loss import positions_at_once, token_losses
from workbench.plugin import IGNORED, Arrays

#: Tokens on which it is seen whether a model's logits are its output layer's alone.
_TRIED = 8


class Scorer:
    """Asks a transformers or PEFT model for the losses of batches.

    Args:
        lower: The type of its arithmetic where that is another one than its weights'; see `arithmetic`.
    """

    def __init__(self, model: Any, lower: Any | None = None) -> None:
        import torch

        self._torch = torch
        self._model = model
        self._lower = lower
        self._device = next(model.parameters()).device
        self._decoder: Any = None
        self._head = self._output_layer()

    @property
    def skips_logits(self) -> bool:
        """Whether it can do without the logits of positions that are not learned."""
        return self._head is not None

    def token_losses(self, arrays: Arrays) -> tuple[Any, Any]:
        """The cross-entropy of each learned token and the row it is in, both of shape (learned tokens,)."""
        torch = self._torch
        targets = torch.from_numpy(arrays.targets).to(self._device)
        # Logits of positions that are not learned would be the largest tensor here, and of no use.
        kept = targets != IGNORED
        hidden = self._hidden(arrays)[kept]
        rows = torch.nonzero(kept)[:, 0]
        if self._head is not None:
            weight = self._head.weight
            return token_losses(hidden, weight.to(hidden.dtype), targets[kept]), rows
        return torch.nn.functional.cross_entropy(hidden.float(), targets[kept], reduction="none"), rows

    def learned(self, arrays: Arrays) -> tuple[Any, Any]:
        """What `head` makes logits of at each learned token, shape (learned tokens, …), and those tokens."""
        targets = self._torch.from_numpy(arrays.targets).to(self._device)
        kept = targets != IGNORED
        return self._hidden(arrays)[kept], targets[kept]

    def head(self, hidden: Any) -> Any:
        """The logits of what stands before the output layer; the same where that can't be had apart."""
        return hidden if self._head is None else self._head(hidden)

    @property
    def vocabulary(self) -> int:
        """The width of the logits, padding of the output layer included."""
        return int(self._model.get_output_embeddings().weight.shape[0])

    def log_probabilities(self, arrays: Arrays) -> Any:
        """The log-probability of what each row has to predict, shape (rows,)."""
        losses, rows = self.token_losses(arrays)
        found = self._torch.zeros(arrays.ids.shape[0], device=self._device, dtype=losses.dtype)
        return found.index_add(0, rows, -losses)

    def scores(self, arrays: Arrays) -> tuple[Any, Any]:
        """Each row's loss, without gradients, and the likeliest token in place of each that is learned.

        Returns:
            Shapes (rows,) and (learned tokens,).
        """
        torch = self._torch
        targets = torch.from_numpy(arrays.targets).to(self._device)
        kept = targets != IGNORED
        hidden, targets, rows = self._hidden(arrays)[kept], targets[kept], torch.nonzero(kept)[:, 0]
        summed = torch.zeros(arrays.ids.shape[0], device=self._device)
        likeliest = torch.empty_like(targets)
        # Without the layer apart, these are the logits already.
        vocabulary = self._head.weight.shape[0] if self._head is not None else hidden.shape[-1]
        for part in positions_at_once(len(targets), vocabulary):
            logits = (self._head(hidden[part]) if self._head is not None else hidden[part]).float()
            losses = torch.nn.functional.cross_entropy(logits, targets[part], reduction="none")
            summed.index_add_(0, rows[part], losses)
            likeliest[part] = logits.argmax(-1)
        return summed, likeliest

    def logits(self, ids: NDArray[np.int64], since: int) -> Any:
        """Of every next token from a position on; from shape (rows, width) to (rows, width - since, …)."""
        inputs = self._torch.from_numpy(ids).to(self._device)
        if self._head is None:
            return self._model(input_ids=inputs, use_cache=False).logits[:, since:]
        return self._head(self._decoder(input_ids=inputs, use_cache=False).last_hidden_state[:, since:])

    def _hidden(self, arrays: Arrays) -> Any:
        """What stands before the output layer; the logits where that can't be had apart."""
        torch = self._torch
        more: dict[str, Any] = {}
        if arrays.is_packed:
            allowed = torch.from_numpy(arrays.allowed()).to(self._device)
            mask = torch.zeros(allowed.shape, device=self._device, dtype=self._lower or torch.float32)
            more["attention_mask"] = mask.masked_fill(~allowed, -torch.inf)[:, None]
            more["position_ids"] = torch.from_numpy(arrays.positions).to(self._device)
        # Padding stands on the right: a causal model never sees it, and without a mask attention is faster.
        ids = torch.from_numpy(arrays.ids).to(self._device)
        if self._head is None:
            return self._model(input_ids=ids, use_cache=False, **more).logits
        return self._decoder(input_ids=ids, use_cache=False, **more).last_hidden_state

    def _output_layer(self) -> Any:
        """The output layer, where logits are nothing but its product with the last hidden state.

        Some models scale or cap their logits, so it is tried out on a few tokens rather than believed.
        """
        model = self._model.get_base_model() if hasattr(self._model, "get_base_model") else self._model
        head = model.get_output_embeddings()
        decoder = model.get_decoder() if hasattr(model, "get_decoder") else None
        if type(head) is not self._torch.nn.Linear or head.bias is not None or decoder is None:
            return None
        ids = self._torch.arange(_TRIED, device=self._device)[None]
        with evaluating(self._model, self._lower):
            logits = model(input_ids=ids, use_cache=False).logits
            try:
                found = head(decoder(input_ids=ids, use_cache=False).last_hidden_state)
            except (AttributeError, TypeError, RuntimeError):
                return None
        self._decoder = decoder
        same = found.shape == logits.shape and self._torch.allclose(
            found.float(), logits.float(), rtol=1e-3, atol=1e-3
        )
        return head if same else None


def arithmetic(model: Any, lower: Any | None) -> Any:
    """A context in which a model computes in a lower type than its weights have; None for theirs."""
    import torch

    if lower is None:
        return nullcontext()
    return torch.autocast(next(model.parameters()).device.type, dtype=lower)


@contextmanager
def evaluating(model: Any, lower: Any | None) -> Iterator[None]:
    """No gradients, no dropout, and the arithmetic of the training; as it was afterwards."""
    import torch

    training = model.training
    model.eval()
    try:
        with torch.no_grad(), arithmetic(model, lower):
            yield
    finally:
        model.train(training)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that the device's or the machine's memory is full."""
    import torch

    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return "can't allocate memory" in str(error) or "not enough memory" in str(error)
