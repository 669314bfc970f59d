"""A model in training on PyTorch: gradients, updates, evaluation, and what has to be kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plugins._model_files import copy_texts
from plugins._torch_loading import CHANGES_BASE, mixed_precision
from plugins._torch_own_loss import CheckedLoss
from plugins._torch_scoring import Scorer, arithmetic, evaluating, is_out_of_memory
from plugins._torch_sharding import alike, clip_norm, is_sharded, placed_like, whole
from plugins._tuning_backend import Measured, Piece, preference_loss
from plugins._tuning_params import FinetuneParams
from workbench.plugin import IGNORED, Arrays, OwnLoss

_WEIGHTS, _OPTIMIZER, _INITIAL = "weights.safetensors", "optimizer.safetensors", "initial"


class TorchBackend:
    """See `_tuning_backend.Backend`.

    Args:
        model: A transformers or PEFT model; what requires a gradient is trained.
        source: The folder that it was loaded from.
        end_tokens: What ends an answer.
        kept: A folder for what an initialisation that changes the base has to remember.
        writes: Whether this worker writes what is kept and published; of several one does, and the others
            take part in gathering it.
        own: The loss of a plugin in place of the usual one.
    """

    def __init__(
        self,
        model: Any,
        params: FinetuneParams,
        source: Path,
        end_tokens: Sequence[int],
        kept: Path,
        *,
        writes: bool = True,
        own: OwnLoss | None = None,
    ) -> None:
        import torch

        self._torch = torch
        self._model = model
        self._params = params
        self._source = source
        self._ends = list(end_tokens)
        self._writes = writes
        self._own = CheckedLoss(own) if own is not None else None
        self._device = next(model.parameters()).device
        self._lower = mixed_precision(params)
        self._weights = [each for each in model.parameters() if each.requires_grad]
        self._optimizer = _optimizer(self._weights, params, self._device.type)
        self._scorer = Scorer(model, self._lower)
        self._initial: Path | None = None
        if params.method != "full" and params.initialisation in CHANGES_BASE:
            self._initial = kept / _INITIAL
            for config in model.peft_config.values():
                config.init_lora_weights = True
            if writes:
                model.save_pretrained(self._initial, save_embedding_layers=False)
        model.train()

    @property
    def weights(self) -> list[Any]:
        """What is trained."""
        return self._weights

    @property
    def trained(self) -> int:
        return sum(each.numel() for each in self._weights)

    @property
    def parameters(self) -> int:
        return sum(each.numel() for each in self._model.parameters())

    # --- an update ----------------------------------------------------------------------------------

    def begin(self, seed: int) -> None:
        self._torch.manual_seed(seed)
        self._optimizer.zero_grad(set_to_none=True)

    def add(self, piece: Piece, divisor: float) -> float:
        with arithmetic(self._model, self._lower):
            loss = self._loss(piece)[0] / divisor
        loss.backward()
        return float(loss.detach())

    def norm(self, clip: float) -> float:
        return clip_norm(self._weights, clip)

    def update(self, rate: float) -> None:
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.step()

    # --- looking at it ------------------------------------------------------------------------------

    def measure(self, piece: Piece) -> Measured:
        with evaluating(self._model, self._lower):
            loss, preferred = self._loss(piece)
            return Measured(float(loss), piece.weight, preferred)

    def log_probabilities(self, arrays: Arrays) -> NDArray[np.float64]:
        with evaluating(self._model, self._lower):
            found: NDArray[np.float64] = self._scorer.log_probabilities(arrays).double().cpu().numpy()
            return found

    def generate(self, prompts: Sequence[Sequence[int]], longest: int) -> list[list[int]]:
        with evaluating(self._model, self._lower):
            return greedy(self._model, prompts, longest, self._ends)

    # --- what is kept -------------------------------------------------------------------------------

    def save(self, folder: Path, *, optimizer: bool) -> None:
        from safetensors.torch import save_file

        weights = {name: whole(each) for name, each in self._model.named_parameters() if each.requires_grad}
        remembered = _flat(self._optimizer) if optimizer else {}
        if not self._writes:
            return
        save_file(weights, folder / _WEIGHTS)
        if optimizer:
            save_file(remembered, folder / _OPTIMIZER)

    def load(self, folder: Path, *, optimizer: bool) -> None:
        from safetensors.torch import load_file

        own = dict(self._model.named_parameters())
        with self._torch.no_grad():
            for name, tensor in load_file(folder / _WEIGHTS).items():
                own[name].copy_(placed_like(tensor, own[name]))
        if optimizer:
            _restore(self._optimizer, load_file(folder / _OPTIMIZER))

    def publish(self, target: Path) -> None:
        if self._params.method == "full":
            self._publish_model(target)
            return
        initial = str(self._initial) if self._initial is not None else None
        state = self._gathered()
        if not self._writes:
            return
        # Left to itself, PEFT would look for the base on the hub, to see whether its vocabulary grew.
        self._model.save_pretrained(
            target,
            save_embedding_layers=False,
            path_initial_model_for_weight_conversion=initial,
            state_dict=state,
        )
        # The card that PEFT writes says nothing that the configuration does not.
        (target / "README.md").unlink(missing_ok=True)
        _order(target / "adapter_config.json")

    def _publish_model(self, target: Path) -> None:
        kept = getattr(self._torch, str(_stored_type(self._source)), self._torch.float32)
        state = self._gathered()
        if not self._writes:
            return
        self._model.config.use_cache = True
        if state is None:
            self._model.to(kept).save_pretrained(target, safe_serialization=True)
        else:
            self._model.config.dtype = kept
            typed = {name: each.to(kept) for name, each in state.items()}
            self._model.save_pretrained(target, safe_serialization=True, state_dict=typed)
        copy_texts(self._source, target)

    def _gathered(self) -> dict[str, Any] | None:
        """All weights whole, where they are sharded; None where they are whole in the model."""
        if not any(is_sharded(each) for each in self._model.parameters()):
            return None
        # An adapter is published without its base, which is the larger part.
        wanted = {name for name, each in self._model.named_parameters() if each.requires_grad}
        everything = self._params.method == "full"
        return {
            name: whole(each)
            for name, each in self._model.state_dict().items()
            if everything or name in wanted
        }

    def is_out_of_memory(self, error: BaseException) -> bool:
        return is_out_of_memory(error)

    def free(self) -> None:
        self._optimizer.zero_grad(set_to_none=True)
        if self._device.type == "cuda":
            self._torch.cuda.empty_cache()
        elif self._device.type == "mps":
            self._torch.mps.empty_cache()

    def peak_bytes(self) -> int:
        return int(self._torch.cuda.max_memory_allocated()) if self._device.type == "cuda" else 0

    # --- the loss -----------------------------------------------------------------------------------

    def _loss(self, piece: Piece) -> tuple[Any, int]:
        """The summed loss, and how many pairs prefer the better answer."""
        if piece.worse is None and self._own is not None:
            return self._own.of_examples(self._scorer, piece.arrays), 0
        if piece.worse is None:
            return self._scorer.token_losses(piece.arrays)[0].sum(), 0
        objective, torch = self._params.objective, self._torch
        better, worse = (
            self._scorer.log_probabilities(piece.arrays),
            self._scorer.log_probabilities(piece.worse),
        )
        supervised: Any = 0.0
        if objective == "orpo":
            better, worse = (
                each / _learned_in(torch, arrays).to(self._device)
                for each, arrays in ((better, piece.arrays), (worse, piece.worse))
            )
            supervised = -better.sum()
            better, worse = (each - torch.log1p(-torch.exp(each)) for each in (better, worse))
        elif piece.reference is not None:
            reference = torch.from_numpy(piece.reference).to(self._device, better.dtype)
            better, worse = better - reference[:, 0], worse - reference[:, 1]
        if self._own is not None:
            return self._own.of_pairs(better, worse).sum(), int((better > worse).sum())
        losses, margins = preference_loss(
            better,
            worse,
            objective=objective,
            beta=self._params.beta,
            log_sigmoid=torch.nn.functional.logsigmoid,
        )
        return losses.sum() + supervised, int((margins > 0).sum())


def greedy(
    model: Any,
    prompts: Sequence[Sequence[int]],
    longest: int,
    ends: Sequence[int],
    check: Callable[[], None] = lambda: None,
) -> list[list[int]]:
    """The likeliest tokens after each prompt, an end token left out; prompts are padded on the left.

    Args:
        check: Called after every token; what it raises ends the answers.
    """
    import torch
    from transformers import GenerationConfig

    width = max(map(len, prompts))
    device = next(model.parameters()).device
    ids = torch.zeros((len(prompts), width), dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        ids[row, width - len(prompt) :] = torch.tensor(list(prompt))
        mask[row, width - len(prompt) :] = 1
    # What is not named here is taken from the model's own settings, which may hold a penalty on repetition.
    config = GenerationConfig(
        do_sample=False,
        num_beams=1,
        repetition_penalty=1.0,
        no_repeat_ngram_size=0,
        min_length=0,
        max_new_tokens=longest,
        eos_token_id=list(ends) or None,
        pad_token_id=0,
    )

    def checked(made: Any, _scores: Any, **_more: Any) -> Any:
        check()
        return torch.zeros(len(made), dtype=torch.bool, device=made.device)

    made = model.generate(
        input_ids=ids.to(device),
        attention_mask=mask.to(device),
        generation_config=config,
        stopping_criteria=[checked],
    )
    found = []
    for row in made[:, width:].tolist():
        end = next((at for at, token in enumerate(row) if token in ends), len(row))
        found.append(row[:end])
    return found


def _optimizer(weights: list[Any], params: FinetuneParams, device: str) -> Any:
    import torch

    groups = [{"params": each} for each in alike(weights)]
    match params.optimizer:
        case "adafactor":
            return torch.optim.Adafactor(groups, lr=params.learning_rate, weight_decay=params.weight_decay)
        case "sgd":
            return torch.optim.SGD(groups, lr=params.learning_rate, weight_decay=params.weight_decay)
        case "adamw":
            return torch.optim.AdamW(
                groups, lr=params.learning_rate, weight_decay=params.weight_decay, fused=device != "mps"
            )


def _learned_in(torch: Any, arrays: Arrays) -> Any:
    return torch.from_numpy((arrays.targets != IGNORED).sum(axis=1))


def _stored_type(folder: Path) -> str:
    """The type in which a folder's configuration says its weights are stored, for example `bfloat16`."""
    from transformers import AutoConfig

    found = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    return str(found.dtype or "float32").removeprefix("torch.")


def _order(config: Path) -> None:
    """Sort what PEFT keeps in a set, so that the same run writes the same bytes."""
    found = json.loads(config.read_text(encoding="utf-8"))
    if isinstance(found.get("target_modules"), list):
        found["target_modules"].sort()
    config.write_text(json.dumps(found, indent=2, sort_keys=True), encoding="utf-8")


def _flat(optimizer: Any) -> dict[str, Any]:
    """An optimizer's tensors as one level of names: `0.exp_avg` and so on."""
    state = optimizer.state_dict()["state"]
    return {
        f"{number}.{name}": whole(value)
        for number, each in state.items()
        for name, value in each.items()
        if hasattr(value, "detach")
    }


def _restore(optimizer: Any, tensors: dict[str, Any]) -> None:
    weights = [each for group in optimizer.param_groups for each in group["params"]]
    state: dict[int, dict[str, Any]] = {}
    for key, value in tensors.items():
        number, _, name = key.partition(".")
        state.setdefault(int(number), {})[name] = placed_like(value, weights[int(number)])
    known = optimizer.state_dict()
    known["state"] = state
    optimizer.load_state_dict(known)
