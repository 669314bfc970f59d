"""The losses of a causal model on MLX, computed for what is learned alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plugins._mlx_loss import Head, cross_entropy, positions_at_once, token_losses
from workbench.plugin import IGNORED, Arrays, ParameterError

#: Tokens on which it is seen whether a model's logits are its output layer's alone, and whether it packs.
_TRIED = 8
#: Tokens of another example before them.
_BEFORE = 64
#: How far packed rows may be off: bfloat16 rounds to a hundredth of that at a time.
_ROUNDING = 0.03


class Scorer:
    """Asks an mlx-lm model for the losses of batches; with gradients while it is in training."""

    def __init__(self, model: Any) -> None:
        import mlx.core as mx

        self._mx = mx
        self._model = model
        self._decoder: Any = None
        self._head: Head | None = None
        self._packs: bool | None = None
        self._find_head()

    @property
    def skips_logits(self) -> bool:
        """Whether it can do without the logits of positions that are not learned."""
        return self._head is not None

    def token_losses(self, arrays: Arrays) -> tuple[Any, NDArray[np.int64]]:
        """The cross-entropy of each learned token and the row it is in, both of shape (learned tokens,).

        Raises:
            ParameterError: The batch is packed, and this model can't keep its examples apart.
        """
        rows, columns = np.nonzero(arrays.targets != IGNORED)
        targets = self._mx.array(arrays.targets[rows, columns])
        places = self._mx.array(rows * arrays.ids.shape[1] + columns)
        # Logits of positions that are not learned would be the largest array here, and of no use.
        hidden = self._hidden(arrays)
        hidden = hidden.reshape(-1, hidden.shape[-1])[places]
        if self._head is None:
            return cross_entropy(hidden, targets), rows
        return token_losses(self._head, hidden, targets, gradients=self._model.training), rows

    def log_probabilities(self, arrays: Arrays) -> Any:
        """The log-probability of what each row has to predict, shape (rows,)."""
        losses, rows = self.token_losses(arrays)
        return self._mx.zeros(arrays.ids.shape[0]).at[self._mx.array(rows)].add(-losses)

    def scores(self, arrays: Arrays) -> tuple[Any, Any]:
        """Each row's loss, without gradients, and the likeliest token in place of each that is learned.

        Returns:
            Shapes (rows,) and (learned tokens,).
        """
        mx = self._mx
        rows, columns = np.nonzero(arrays.targets != IGNORED)
        hidden = self._hidden(arrays)
        hidden = hidden.reshape(-1, hidden.shape[-1])[mx.array(rows * arrays.ids.shape[1] + columns)]
        targets, losses, likeliest = mx.array(arrays.targets[rows, columns]), [], []
        # Without the layer apart, these are the logits already.
        vocabulary = self._head.vocabulary if self._head is not None else hidden.shape[-1]
        for part in positions_at_once(len(rows), vocabulary):
            logits = hidden[part] if self._head is None else self._head.logits(hidden[part])
            losses.append(cross_entropy(logits, targets[part]))
            likeliest.append(logits.argmax(-1))
            mx.eval(losses[-1], likeliest[-1])
        summed = mx.zeros(arrays.ids.shape[0]).at[mx.array(rows)].add(mx.concatenate(losses))
        return summed, mx.concatenate(likeliest)

    def logits(self, ids: NDArray[np.int64], since: int) -> Any:
        """Of every next token from a position on; from shape (rows, width) to (rows, width - since, …)."""
        inputs = self._mx.array(ids)
        if self._head is None:
            return self._model(inputs)[:, since:]
        return self._head.logits(self._decoder(inputs)[:, since:])

    def _hidden(self, arrays: Arrays) -> Any:
        """What stands before the output layer; the logits where that can't be had apart."""
        # Padding stands on the right: a causal model never sees it, and without a mask attention is faster.
        cache = self._segments(arrays) if arrays.is_packed else None
        compute = self._model if self._head is None else self._decoder
        return compute(self._mx.array(arrays.ids), cache=cache)

    def _segments(self, arrays: Arrays) -> list[Segments]:
        """What keeps the examples of a row apart.

        Raises:
            ParameterError: Nothing would.
        """
        if self._packs is None:
            self._packs = self._tried_packing()
        if not self._packs:
            raise ParameterError(
                "batching",
                "In this model an example would be computed otherwise behind another one than alone.",
                remedy="Choose buckets, which hardly pad either.",
            )
        return self._apart(arrays.allowed())

    def _apart(self, allowed: NDArray[np.bool_]) -> list[Segments]:
        return [Segments(self._mx.array(allowed)[:, None])] * len(self._model.layers)

    def _tried_packing(self) -> bool:
        """Whether a few tokens give the same alone and behind others that they may not see.

        They do where all that is carried on is attention, and positions are relative.
        """
        from mlx_lm.models.cache import KVCache, RotatingKVCache, make_prompt_cache

        mx = self._mx
        if any(type(each) not in (KVCache, RotatingKVCache) for each in make_prompt_cache(self._model)):
            return False
        before = mx.arange(_BEFORE) % _TRIED
        tokens = mx.arange(_TRIED, 2 * _TRIED)
        segments = np.repeat([1, 2], [_BEFORE, _TRIED])
        allowed = np.tril(segments[:, None] == segments)[None]
        compute = self._model if self._head is None else self._decoder
        with evaluating(self._model):
            alone = compute(tokens[None])
            try:
                packed = compute(mx.concatenate([before, tokens])[None], cache=self._apart(allowed))
            except (AttributeError, TypeError, ValueError):
                # It asks more of a cache than attention does.
                return False
            difference = (packed[:, _BEFORE:] - alone).astype(mx.float32)
            return float(mx.linalg.norm(difference)) < _ROUNDING * float(
                mx.linalg.norm(alone.astype(mx.float32))
            )

    def _find_head(self) -> None:
        """Find the output layer, where logits are nothing but its product with the last hidden state.

        Some models scale or cap their logits, so it is tried out on a few tokens rather than believed.
        """
        mx = self._mx
        ids = mx.arange(_TRIED)[None]
        with evaluating(self._model):
            logits = self._model(ids)
            for part in (self._model, getattr(self._model, "language_model", None)):
                decoder = getattr(part, "model", None)
                module = getattr(part, "lm_head", getattr(decoder, "embed_tokens", None))
                if decoder is None or not hasattr(module, "weight"):
                    continue
                head = Head(module)
                try:
                    found = head.logits(decoder(ids))
                except (AttributeError, TypeError, ValueError, RuntimeError):
                    continue
                if found.shape == logits.shape and bool(mx.allclose(found, logits, rtol=1e-3, atol=1e-3)):
                    head.hasten()
                    self._decoder, self._head = decoder, head
                    return


class Segments:
    """Stands where a model expects the cache of a block, and tells its attention which tokens see which.

    Positions run on through a row instead of beginning anew with each example. That changes nothing: rotary
    embeddings make attention depend on the distance of two tokens alone. A model whose positions are absolute
    is found out on a few tokens.

    Args:
        allowed: Shape (rows, 1, width, width).
    """

    #: Tokens that are there already.
    offset = 0

    def __init__(self, allowed: Any) -> None:
        self._allowed = allowed

    def make_mask(self, count: int, return_array: bool = False, window_size: int | None = None) -> Any:
        """What mlx-lm's `create_attention_mask` asks of a cache."""
        import mlx.core as mx

        if window_size is None:
            return self._allowed
        places = mx.arange(count)
        return self._allowed & (places[:, None] < places[None] + window_size)

    def update_and_fetch(self, keys: Any, values: Any) -> tuple[Any, Any]:
        """What attention is paid to: the row itself."""
        return keys, values


@contextmanager
def evaluating(model: Any) -> Iterator[None]:
    """No dropout, and no gradients; as it was afterwards."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)


def greedy(
    model: Any,
    prompts: Sequence[Sequence[int]],
    longest: int,
    ends: Sequence[int],
    check: Callable[[], None] = lambda: None,
) -> list[list[int]]:
    """The likeliest tokens after each prompt, an end token left out.

    Args:
        check: Called after every token; what it raises ends the answers.
    """
    from mlx_lm.generate import BatchGenerator

    generator = BatchGenerator(
        model,
        max_tokens=longest,
        stop_tokens=[[each] for each in ends],
        completion_batch_size=len(prompts),
    )
    try:
        found: dict[int, list[int]] = {uid: [] for uid in generator.insert([list(each) for each in prompts])}
        while made := generator.next_generated():
            for each in made:
                if each.token not in ends:
                    found[each.uid].append(each.token)
            check()
        return list(found.values())
    finally:
        generator.close()
