"""A base and what was made from it, loaded from their files by PyTorch, for evaluation alone."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plugins._adapter_folder import read_adapter
from plugins._torch_loading import load_base
from plugins._torch_scoring import Scorer, is_out_of_memory
from plugins._torch_tuning import greedy
from plugins._tuning_pair import Scores
from plugins._tuning_params import FinetuneParams
from plugins._tuning_run import Tuned
from workbench.plugin import Arrays, ModelFileError, OutOfMemoryError


class TorchPair:
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
        self._params = params
        self._check = check
        self._models: tuple[_Loaded, _Loaded] | None = None

    def scores(self, arrays: Arrays, *, tuned: bool) -> Scores:
        with self._asked(tuned) as one:
            losses, likeliest = one.scorer.scores(arrays)
            return Scores(losses.double().cpu().numpy(), likeliest.cpu().numpy())

    def generate(self, prompts: Sequence[Sequence[int]], longest: int, *, tuned: bool) -> list[list[int]]:
        with self._asked(tuned) as one:
            return greedy(one.model, prompts, longest, list(self._tuned.texts.end_tokens), self._check)

    def log_probabilities(
        self, ids: NDArray[np.int64], *, tuned: bool, since: int = 0
    ) -> NDArray[np.float32]:
        with self._asked(tuned) as one:
            logits = one.scorer.logits(ids, since).float()
            found: NDArray[np.float32] = logits.log_softmax(-1).cpu().numpy()
            return found

    def close(self) -> None:
        import torch

        self._models = None
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        elif torch.backends.mps.is_available():
            torch.mps.empty_cache()

    @contextmanager
    def _asked(self, tuned: bool) -> Iterator[_Loaded]:
        """The model that is meant, without gradients and dropout."""
        import torch

        try:
            if self._models is None:
                self._models = self._load()
            base, made = self._models
            switches = base is made and not tuned
            with torch.inference_mode(), made.model.disable_adapter() if switches else nullcontext():
                yield made if tuned else base
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
        # What the training held may still wait for its cycles to be found.
        gc.collect()
        base = load_base(self._tuned.model.path, self._params)
        result = self._tuned.result
        if self._params.method == "full":
            return _Loaded(base), _Loaded(load_base(result, self._params))
        import peft

        # Left to itself, PEFT would take a pickle where there is no safetensors file.
        read_adapter(result)
        try:
            adapted = peft.PeftModel.from_pretrained(base, result, local_files_only=True)
        except (ValueError, KeyError, RuntimeError) as error:
            if is_out_of_memory(error):
                raise
            raise ModelFileError(
                result,
                f"it is no adapter for {self._tuned.model.name}.",
                remedy="Name the model that it was trained on.",
                details=str(error),
            ) from error
        made = _Loaded(adapted)
        return made, made


class _Loaded:
    """A model that is asked and not trained."""

    def __init__(self, model: Any) -> None:
        self.model = model.eval()
        self.scorer = Scorer(self.model)
