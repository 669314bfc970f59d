"""What a fine-tuning brought and what it cost, in words."""

from __future__ import annotations

from ui import format as show
from workbench.model import TuningFacts

#: Below this a chance is as good as none.
_LEAST_P = 0.001


def gain_figure(tuning: TuningFacts) -> tuple[str, str]:
    """The one figure that says most, and what it is of: `2 % → 94 %` and `accuracy`; empty for none."""
    if tuning.accuracy_before is not None and tuning.accuracy_after is not None:
        return _accuracy(tuning), "accuracy"
    if tuning.held_out_before is not None and tuning.held_out_after is not None:
        return _loss(tuning), "held-out loss"
    return "", ""


def gain_and_price(tuning: TuningFacts) -> str:
    """`2 % → 94 % · KL 0.02`, `loss 2.31 → 0.42`: for a narrow column."""
    figure, of = gain_figure(tuning)
    gain = f"loss {figure}" if of == "held-out loss" else figure
    return " · ".join(part for part in (gain, _kld(tuning)) if part)


def shorter_gains(tuning: TuningFacts) -> tuple[str, ...]:
    """The same and what can stand for it in a narrower column, the longest first."""
    whole, (figure, _of) = gain_and_price(tuning), gain_figure(tuning)
    return (whole, whole.partition(" · ")[0], figure) if figure else (whole,)


def tuning_line(tuning: TuningFacts) -> str:
    """`held-out loss 2.31 → 0.42 · accuracy 2 % → 94 % · KL 0.02`."""
    loss = f"held-out loss {_loss(tuning)}" if tuning.held_out_after is not None else ""
    accuracy = f"accuracy {_accuracy(tuning)}" if tuning.accuracy_after is not None else ""
    return " · ".join(part for part in (loss, accuracy, _kld(tuning)) if part)


def has_gained(tuning: TuningFacts) -> bool:
    """Whether what was measured is better than before: the accuracy, else the loss."""
    if tuning.accuracy_before is not None and tuning.accuracy_after is not None:
        return tuning.accuracy_after > tuning.accuracy_before
    if tuning.held_out_before is not None and tuning.held_out_after is not None:
        return tuning.held_out_after < tuning.held_out_before
    return False


def tuning_rows(tuning: TuningFacts) -> list[tuple[str, str, str]]:
    """Lines of a table: what, its figures, and what they mean."""
    rows = []
    if tuning.accuracy_after is not None:
        chance = "" if tuning.p is None else f" ({_chance(tuning.p)})"
        meaning = "Share of the held-out tasks that were right, before and after."
        if tuning.p is not None:
            meaning += f" The chance of such a difference without any effect is {show.number(tuning.p)}."
        rows.append(("Accuracy", _accuracy(tuning) + chance, meaning))
    if tuning.held_out_after is not None:
        meaning = "Mean loss of a token in rows that it was not trained on, before and after."
        rows.append(("Held-out loss", _loss(tuning), meaning))
    if tuning.mean_kld is not None:
        meaning = "How far it moved from its base on other text: what it forgot."
        rows.append(("Forgotten", _kld(tuning), meaning))
    if tuning.steps is not None:
        rows.append(("Trained for", f"{show.grouped(tuning.steps)} steps", "Steps of the optimizer"))
    return rows


def _accuracy(tuning: TuningFacts) -> str:
    return _pair(show.percent(tuning.accuracy_before), show.percent(tuning.accuracy_after))


def _loss(tuning: TuningFacts) -> str:
    return _pair(show.number(tuning.held_out_before), show.number(tuning.held_out_after))


def _pair(before: str, after: str) -> str:
    return f"{before} → {after}"


def _kld(tuning: TuningFacts) -> str:
    return f"KL {tuning.mean_kld:.2g}" if tuning.mean_kld is not None else ""


def _chance(p: float) -> str:
    return f"p < {_LEAST_P}" if p < _LEAST_P else f"p = {p:.2g}"
