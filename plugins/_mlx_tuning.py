"""A model in training on MLX: gradients, updates, evaluation, and what has to be kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plugins._mlx_adapter import Adapter
from plugins._mlx_loading import arithmetic
from plugins._mlx_memory import give_back, is_out_of_memory, peak_bytes
from plugins._mlx_model_files import save_tensors, write_model
from plugins._mlx_scoring import Scorer, evaluating, greedy
from plugins._tuning_backend import Measured, Piece, preference_loss
from plugins._tuning_params import FinetuneParams
from workbench.plugin import IGNORED, Arrays

_WEIGHTS, _OPTIMIZER = "weights.safetensors", "optimizer.safetensors"


class MlxBackend:
    """See `_tuning_backend.Backend`.

    What is trained is kept in float32 beside the model, which computes with it in the type of the arithmetic.

    Args:
        model: An mlx-lm model; what is not frozen in it is trained.
        adapter: Its adapter; None where the model's own weights are trained.
        source: The folder that it was loaded from.
        end_tokens: What ends an answer.
        writes: Whether this process writes checkpoints; of several one does.
        check: Called while it answers; what it raises ends the answers.

    Attributes:
        gradients: Of the update that is being computed, by the weight's name.
    """

    def __init__(
        self,
        model: Any,
        adapter: Adapter | None,
        params: FinetuneParams,
        source: Path,
        end_tokens: Sequence[int],
        *,
        writes: bool = True,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        import mlx.core as mx
        from mlx.utils import tree_flatten

        self._mx = mx
        self._model = model
        self._adapter = adapter
        self._params = params
        self._source = source
        self._ends = list(end_tokens)
        self._writes = writes
        self._check = check
        self._lower = arithmetic(params)
        trained = tree_flatten(model.trainable_parameters())
        modules = dict(model.named_modules())
        self._owners = {
            name: (modules[name.rpartition(".")[0]], name.rpartition(".")[2]) for name, _ in trained
        }
        self._weights: dict[str, Any] = {name: each.astype(mx.float32) for name, each in trained}
        self.gradients: dict[str, Any] | None = None
        self._draws: Any = mx.random.key(0)
        self._optimizer = _optimizer(params)
        self._optimizer.init(self._weights)
        mx.eval(self._weights, self._optimizer.state)
        self._place(self._weights)
        self._scorer = Scorer(model)
        model.train()

    @property
    def trained(self) -> int:
        return sum(each.size for each in self._weights.values())

    @property
    def parameters(self) -> int:
        from mlx_lm.utils import get_total_parameters

        # It counts layers without layers in them, so not what an adapter adds.
        of_adapter = self.trained if self._adapter is not None else 0
        return int(get_total_parameters(self._model)) + of_adapter

    # --- an update ----------------------------------------------------------------------------------

    def begin(self, seed: int) -> None:
        self._mx.random.seed(seed)
        self._draws = self._mx.random.key(seed)
        self.gradients = None

    def add(self, piece: Piece, divisor: float) -> float:
        mx = self._mx
        if self._adapter is not None:
            self._draws, key = mx.random.split(self._draws)
            self._adapter.drop_anew(key)

        def compute(weights: dict[str, Any]) -> Any:
            self._place(weights)
            return self._loss(piece)[0] / divisor

        try:
            loss, gradients = mx.value_and_grad(compute)(self._weights)
            before = self.gradients
            if before is not None:
                gradients = {name: before[name] + each for name, each in gradients.items()}
            mx.eval(loss, gradients)
        finally:
            # The model holds what the gradients were traced with.
            self._place(self._weights)
        self.gradients = gradients
        return float(loss)

    def norm(self, clip: float) -> float:
        mx = self._mx
        gradients = self.gradients or {}
        norm = float(mx.sqrt(sum(each.square().sum() for each in gradients.values())))
        if clip and norm > clip:
            # As PyTorch has it.
            factor = clip / (norm + 1e-6)
            self.gradients = {name: each * factor for name, each in gradients.items()}
        return norm

    def update(self, rate: float) -> None:
        self._optimizer.learning_rate = rate
        self._weights = self._optimizer.apply_gradients(self.gradients or {}, self._weights)
        self._mx.eval(self._weights, self._optimizer.state)
        self.gradients = None
        self._place(self._weights)

    # --- looking at it ------------------------------------------------------------------------------

    def measure(self, piece: Piece) -> Measured:
        with evaluating(self._model):
            loss, margins = self._loss(piece)
            preferred = int((margins > 0).sum()) if margins is not None else 0
            return Measured(float(loss), piece.weight, preferred)

    def log_probabilities(self, arrays: Arrays) -> NDArray[np.float64]:
        with evaluating(self._model):
            return np.array(self._scorer.log_probabilities(arrays), dtype=np.float64)

    def generate(self, prompts: Sequence[Sequence[int]], longest: int) -> list[list[int]]:
        with evaluating(self._model):
            return greedy(self._model, prompts, longest, self._ends, self._check)

    # --- what is kept -------------------------------------------------------------------------------

    def save(self, folder: Path, *, optimizer: bool) -> None:
        if not self._writes:
            return
        save_tensors(folder / _WEIGHTS, self._weights)
        if optimizer:
            save_tensors(folder / _OPTIMIZER, _flat(self._optimizer.state))

    def load(self, folder: Path, *, optimizer: bool) -> None:
        mx = self._mx
        loaded: Any = mx.load(str(folder / _WEIGHTS))
        self._weights = {name: loaded[name] for name in self._weights}
        if optimizer:
            self._optimizer.state = _nested(mx.load(str(folder / _OPTIMIZER)), self._weights)
            self._optimizer.init(self._weights)
        # Now: the files are gone when the next checkpoint is whole.
        mx.eval(self._weights, self._optimizer.state)
        self._place(self._weights)

    def publish(self, target: Path) -> None:
        from mlx.utils import tree_flatten

        if self._adapter is not None:
            self._adapter.write(target, self._weights)
        else:
            names = frozenset(name for name, _each in tree_flatten(self._model.parameters()))
            write_model(self._source, target, self._weights, names)

    def is_out_of_memory(self, error: BaseException) -> bool:
        return is_out_of_memory(error)

    def free(self) -> None:
        self.gradients = None
        give_back()

    def peak_bytes(self) -> int:
        return peak_bytes()

    # --- the loss -----------------------------------------------------------------------------------

    def _place(self, weights: dict[str, Any]) -> None:
        """Put trained weights into the model, in the type of the arithmetic.

        A DoRA's magnitudes stay in float32: they change by less than bfloat16 can tell apart.
        """
        for name, weight in weights.items():
            owner, leaf = self._owners[name]
            owner[leaf] = weight if leaf == "m" else weight.astype(self._lower)

    def _loss(self, piece: Piece) -> tuple[Any, Any]:
        """The summed loss, and the margin of each pair; None for examples."""
        import mlx.nn as nn

        mx = self._mx
        if piece.worse is None:
            return self._scorer.token_losses(piece.arrays)[0].sum(), None
        objective = self._params.objective
        better = self._scorer.log_probabilities(piece.arrays)
        worse = self._scorer.log_probabilities(piece.worse)
        supervised: Any = 0.0
        if objective == "orpo":
            better, worse = better / _learned_in(mx, piece.arrays), worse / _learned_in(mx, piece.worse)
            supervised = -better.sum()
            better, worse = (each - mx.log1p(-mx.exp(each)) for each in (better, worse))
        elif piece.reference is not None:
            reference = mx.array(piece.reference.astype(np.float32))
            better, worse = better - reference[:, 0], worse - reference[:, 1]
        losses, margins = preference_loss(
            better, worse, objective=objective, beta=self._params.beta, log_sigmoid=nn.log_sigmoid
        )
        return losses.sum() + supervised, margins


def _learned_in(mx: Any, arrays: Arrays) -> Any:
    return mx.array((arrays.targets != IGNORED).sum(axis=1))


def _optimizer(params: FinetuneParams) -> Any:
    """With the settings that PyTorch has for its own."""
    import mlx.optimizers as optimizers

    rate, decay = params.learning_rate, params.weight_decay
    match params.optimizer:
        case "adafactor":
            return optimizers.Adafactor(rate, weight_decay=decay, relative_step=False)
        case "sgd":
            return optimizers.SGD(rate, weight_decay=decay)
        case "adamw":
            return optimizers.AdamW(rate, weight_decay=decay, bias_correction=True)


def _flat(state: dict[str, Any]) -> dict[str, Any]:
    """An optimizer's arrays as one level of names: `step`, and `model.norm.weight.m` and so on."""
    found: dict[str, Any] = {}
    for name, each in state.items():
        found |= (
            {f"{name}.{part}": value for part, value in each.items()}
            if isinstance(each, dict)
            else {name: each}
        )
    return found


def _nested(flat: Any, weights: dict[str, Any]) -> dict[str, Any]:
    """The opposite of `_flat`; an entry that has no part is the optimizer's own."""
    state: dict[str, Any] = {}
    for name, value in flat.items():
        weight, _, part = name.rpartition(".")
        if weight in weights:
            state.setdefault(weight, {})[part] = value
        else:
            state[name] = value
    return state
