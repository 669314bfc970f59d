"""The loss of a training method that a plugin offers, on PyTorch, held at arm's length."""

from __future__ import annotations

import traceback
from typing import Any

from plugins._torch_loss import positions_at_once
from plugins._torch_scoring import Scorer, is_out_of_memory
from plugins._tuning_params import FinetuneParams
from workbench.plugin import Arrays, OwnLoss, ParameterError, PluginError, WorkbenchError


class CheckedLoss:
    """Passes on what a plugin's loss gives, once it is seen to be one.

    Args:
        own: The plugin's.
    """

    def __init__(self, own: OwnLoss) -> None:
        self._own = own

    def of_examples(self, scorer: Scorer, arrays: Arrays) -> Any:
        """The summed loss of what a batch has to learn.

        Logits are held for a few positions at a time, and made again for the gradient.
        """
        from torch.utils.checkpoint import checkpoint

        hidden, targets = scorer.learned(arrays)
        # Without any position it is nought, and still something to go backward from.
        total = hidden.float().sum() * 0
        for part in positions_at_once(len(targets), scorer.vocabulary):
            total = total + checkpoint(self._part, scorer, hidden[part], targets[part], use_reentrant=False)
        return total

    def of_pairs(self, better: Any, worse: Any) -> Any:
        """The loss of each pair, from the log-ratios of its two answers."""
        return self._called(better.float(), worse.float())

    def _part(self, scorer: Scorer, hidden: Any, targets: Any) -> Any:
        return self._called(scorer.head(hidden).float(), targets).sum()

    def _called(self, first: Any, second: Any) -> Any:
        import torch

        try:
            found = self._own(first, second)
        except WorkbenchError:
            raise
        except Exception as error:
            if is_out_of_memory(error):
                raise
            raise self._wrong(f"raised {type(error).__name__}: {error}", traceback.format_exc()) from error
        if not isinstance(found, torch.Tensor):
            raise self._wrong(f"gave {type(found).__name__!r}, not a tensor")
        if found.shape != first.shape[:1]:
            raise self._wrong(f"gave the shape {tuple(found.shape)}, not {tuple(first.shape[:1])}")
        if first.requires_grad and torch.is_grad_enabled() and not found.requires_grad:
            raise self._wrong("gave a loss without a gradient")
        # Where the model itself is lost, that is what the training says.
        if bool(first.isfinite().all()) and not bool(found.isfinite().all()):
            raise self._wrong("gave a loss that is no number")
        return found.float()

    def _wrong(self, what: str, details: str = "") -> PluginError:
        return PluginError(
            f"{self._own.who} {what.rstrip('.')}.",
            remedy="Mend the plugin, or train with another loss.",
            details=details,
        )


def check_objective(own: OwnLoss, params: FinetuneParams) -> None:
    """Refuse a loss that does not learn what the job is to learn.

    Raises:
        ParameterError: It is for preferences and the job is not, or the other way.
    """
    wanted = "dpo" if own.pairs else "supervised"
    if params.objective != wanted:
        kind = "preferences" if own.pairs else "answers"
        raise ParameterError("loss", f"{own.who} learns {kind}.", remedy=f"Choose objective={wanted}.")
