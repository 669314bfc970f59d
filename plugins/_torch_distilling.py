"""A model in training on PyTorch that learns what another one predicts, and is published whole."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from plugins._blocks import answering
from plugins._distill_loss import Goal, distillation_losses
from plugins._torch_loading import mixed_precision
from plugins._torch_loss import positions_at_once
from plugins._torch_scoring import Scorer, arithmetic, evaluating
from plugins._torch_tuning import TorchBackend
from plugins._tuning_backend import Measured, Piece
from plugins._tuning_params import FinetuneParams
from workbench.plugin import Arrays

#: Writes a model with an adapter merged into it: the adapter's folder, the result's.
MergeInto = Callable[[Path, Path], None]


class Teacher:
    """A model whose predictions are learned; it stays as it is."""

    def __init__(self, model: Any, params: FinetuneParams, check: Callable[[], None]) -> None:
        self._model = model.eval().requires_grad_(False)
        self._lower = mixed_precision(params)
        self._scorer = Scorer(model, self._lower)
        answering(model, check)

    @property
    def vocabulary(self) -> int:
        return self._scorer.vocabulary

    def hidden(self, arrays: Arrays) -> Any:
        """What stands before the output layer at each learned token."""
        with evaluating(self._model, self._lower):
            return self._scorer.learned(arrays)[0]

    def logits(self, hidden: Any) -> Any:
        with evaluating(self._model, self._lower):
            return self._scorer.head(hidden)


class DistillBackend(TorchBackend):
    """See `_tuning_backend.Backend`. Logits are held for a few positions at a time, of both models.

    Args:
        teacher: None where the text's own tokens are all that is learned.
        merge: With an adapter: how it becomes part of the model.
        check: Called at every block.
    """

    def __init__(
        self,
        model: Any,
        params: FinetuneParams,
        source: Path,
        end_tokens: Sequence[int],
        kept: Path,
        *,
        goal: Goal,
        teacher: Teacher | None,
        merge: MergeInto,
        check: Callable[[], None],
    ) -> None:
        super().__init__(model, params, source, end_tokens, kept)
        self._goal = goal
        self._teacher = teacher
        self._merge = merge
        self._kept = kept
        answering(model, check)

    def add(self, piece: Piece, divisor: float) -> float:
        if self._teacher is None:
            return super().add(piece, divisor)
        with arithmetic(self._model, self._lower):
            hidden, targets = self._scorer.learned(piece.arrays)
            theirs = self._teacher.hidden(piece.arrays)
            # The blocks get their gradient once, when that of all positions is summed up here.
            leaf = hidden.detach().requires_grad_()
            total = 0.0
            for part in positions_at_once(len(targets), self._scorer.vocabulary):
                loss = self._distances(leaf[part], theirs[part], targets[part]).sum() / divisor
                loss.backward()
                total += float(loss.detach())
        hidden.backward(leaf.grad)
        return total

    def measure(self, piece: Piece) -> Measured:
        if self._teacher is None:
            return super().measure(piece)
        with evaluating(self._model, self._lower):
            hidden, targets = self._scorer.learned(piece.arrays)
            theirs = self._teacher.hidden(piece.arrays)
            total = sum(
                float(self._distances(hidden[part], theirs[part], targets[part]).sum())
                for part in positions_at_once(len(targets), self._scorer.vocabulary)
            )
        return Measured(total, piece.weight)

    def publish(self, target: Path) -> None:
        if self._params.method == "full":
            super().publish(target)
            return
        adapter = self._kept / "adapter"
        shutil.rmtree(adapter, ignore_errors=True)
        super().publish(adapter)
        self._merge(adapter, target)

    def _distances(self, hidden: Any, theirs: Any, targets: Any) -> Any:
        assert self._teacher is not None  # noqa: S101 - the callers looked
        return distillation_losses(
            self._scorer.head(hidden), self._teacher.logits(theirs), targets, self._goal
        )
