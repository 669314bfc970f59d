"""A base and what was made from it, loaded from their files by MLX, for evaluation alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plugins._mlx_adapter import Adapter
from plugins._mlx_loading import load_base, prepare
from plugins._mlx_memory import give_back, is_out_of_memory
from plugins._mlx_scoring import Scorer, greedy
from plugins._tuning_pair import Scores
from plugins._tuning_params import FinetuneParams
from plugins._tuning_run import Tuned
from workbench.plugin import Arrays, OutOfMemoryError


class MlxPair:
    """See `_tuning_pair.Pair`.

    An adapter is switched off and on over one base, which is held as the training held it: in 4 bits with
    method=qlora. With method=full there are two models. Both are loaded at the first question.

    Args:
        check: Called between the tokens of answers; what it raises ends them.
    """

    def __init__(
        self, tuned: Tuned, params: FinetuneParams, check: Callable[[], None] = lambda: None
    ) -> None:
        self._tuned = tuned
        self._params = params.model_copy(update={"gradient_checkpointing": False})
        self._check = check
        self._models: tuple[_Loaded, _Loaded] | None = None

    def scores(self, arrays: Arrays, *, tuned: bool) -> Scores:
        with self._asked(tuned) as one:
            losses, likeliest = one.scorer.scores(arrays)
            return Scores(np.array(losses, dtype=np.float64), np.array(likeliest, dtype=np.int64))

    def generate(self, prompts: Sequence[Sequence[int]], longest: int, *, tuned: bool) -> list[list[int]]:
        with self._asked(tuned) as one:
            return greedy(one.model, prompts, longest, list(self._tuned.texts.end_tokens), self._check)

    def log_probabilities(
        self, ids: NDArray[np.int64], *, tuned: bool, since: int = 0
    ) -> NDArray[np.float32]:
        import mlx.core as mx

        with self._asked(tuned) as one:
            logits = one.scorer.logits(ids, since).astype(mx.float32)
            return np.array(logits - mx.logsumexp(logits, axis=-1, keepdims=True))

    def close(self) -> None:
        self._models = None
        give_back()

    @contextmanager
    def _asked(self, tuned: bool) -> Iterator[_Loaded]:
        """The model that is meant."""
        try:
            if self._models is None:
                self._models = self._load()
            one = self._models[tuned]
            if one.adapter is not None:
                one.adapter.switch(on=tuned)
            yield one
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            raise OutOfMemoryError(
                "The base and its result don't fit into the memory for a comparison.",
                remedy="The result itself is whole; compare it on a machine with more memory.",
                details=str(error),
            ) from error

    def _load(self) -> tuple[_Loaded, _Loaded]:
        """The base and the result; the same object twice where an adapter can be switched off."""
        path, result = self._tuned.model.path, self._tuned.result
        base = load_base(path, self._params)
        if self._params.method == "full":
            return _Loaded(base), _Loaded(load_base(result, self._params))
        adapter = prepare(base, self._params, path, 0)
        if adapter is not None:
            adapter.read(result)
        made = _Loaded(base, adapter)
        return made, made


class _Loaded:
    """A model that is asked and not trained."""

    def __init__(self, model: Any, adapter: Adapter | None = None) -> None:
        self.model = model
        self.adapter = adapter
        model.freeze()
        model.eval()
        self.scorer = Scorer(model)
