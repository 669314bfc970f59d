"""The loss of a student that learns a teacher's predictions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Goal:
    """What a student learns.

    Attributes:
        temperature: Both predictions are softened by it: above 1 unlikely tokens count more.
        hard: Share of the text's own tokens in the loss, from 0 to 1; the rest is the teacher's.
        top_k: Learn the teacher's likeliest tokens, and what all others have together; 0 for each token.
    """

    temperature: float = 1.0
    hard: float = 0.0
    top_k: int = 0


def distillation_losses(student: Any, teacher: Any, targets: Any, goal: Goal) -> Any:
    """The loss of each position: `hard` x cross-entropy + (1 - `hard`) x T² x KL(teacher, student).

    The square of the temperature keeps the gradient's size (Hinton et al., arXiv 1503.02531).

    Args:
        student, teacher: Logits, shape (positions, vocabulary). Where one output layer is padded further, the
            tokens that both have are compared.
        targets: The text's own tokens, shape (positions,).

    Returns:
        Shape (positions,), in float32.
    """
    import torch

    losses = torch.zeros(len(targets), device=student.device)
    if goal.hard > 0:
        losses = losses + goal.hard * torch.nn.functional.cross_entropy(
            student.float(), targets, reduction="none"
        )
    if goal.hard < 1:
        width = min(student.shape[-1], teacher.shape[-1])
        ours, theirs = (
            (each[:, :width].float() / goal.temperature).log_softmax(-1) for each in (student, teacher)
        )
        if 0 < goal.top_k < width:
            ours, theirs = _likeliest(ours, theirs, goal.top_k)
        distance = (theirs.exp() * (theirs - ours)).sum(-1)
        losses = losses + (1 - goal.hard) * goal.temperature**2 * distance
    return losses


def _likeliest(ours: Any, theirs: Any, count: int) -> tuple[Any, Any]:
    """The log-probabilities of the teacher's likeliest tokens, and of all others as one more.

    What is lumped together can't grow apart, so this is at most the divergence over all tokens.
    """
    import torch

    places = theirs.topk(count, dim=-1).indices
    found = []
    for each in (ours, theirs):
        top = each.gather(-1, places)
        # Probabilities that round to 1 together leave nothing, whose logarithm is no number.
        rest = torch.log1p(-top.exp().sum(-1, keepdim=True).clamp(max=1 - 1e-6))
        found.append(torch.cat([top, rest], dim=-1))
    return found[0], found[1]
