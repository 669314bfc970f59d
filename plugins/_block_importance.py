"""Measures how much a model's predictions need each of its blocks, and chooses those that they need least."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from plugins._blocks import Blocks, answering
from plugins._torch_loss import positions_at_once
from plugins._torch_scoring import Scorer, evaluating
from workbench.plugin import JobContext

#: How a block's importance is measured; see `choose_blocks`.
Measure = Literal["greedy", "kl", "influence"]

#: Predictions with fewer tokens before them say little about a model.
FIRST_SCORED = 16


class _Kept(Struct):
    """What was measured so far.

    Attributes:
        of: A fingerprint of what it was measured on.
        dropped: The blocks that were chosen, in order.
        rounds: Of each finished round the importance of each block that was still there.
        windows: Of the round under way, windows that are done.
        sums: Of the round under way, by block.
    """

    of: str
    dropped: list[int] = []
    rounds: list[dict[int, float]] = []
    windows: int = 0
    sums: dict[int, float] = {}


class Chosen(Struct, frozen=True):
    """The blocks that are dropped, in the order in which they were chosen.

    Attributes:
        rounds: What each round measured, by block; one round unless it was measured anew after each choice.
    """

    dropped: tuple[int, ...]
    rounds: tuple[dict[int, float], ...]


def choose_blocks(
    job: JobContext, model: Any, windows: NDArray[np.int32], count: int, measure: Measure, of: str
) -> Chosen:
    """Choose the blocks whose removal changes the predictions least.

    `influence` is 1 - cos(input, output) of a block, the mean over all tokens: what it adds to the residual
    stream (ShortGPT, arXiv 2403.03853); one pass. `kl` is the mean KL divergence of the predictions without
    a block from the whole model's, in nats; `greedy` measures that anew after each choice, since a block
    matters more once its neighbour is gone.

    Each window that was measured is kept, so that going on after a pause ends in the same choice.

    Args:
        model: A transformers model.
        windows: Token ids, shape (windows, width).
        of: A fingerprint of the model, the text, and all that decides the figures.
    """
    scorer = Scorer(model)
    blocks = Blocks(model)
    answering(model, job.check)
    place = job.checkpoints / "importance.json"
    kept = _read(place, of)
    rounds = count if measure == "greedy" else 1
    total = rounds * len(windows)
    while len(kept.rounds) < rounds:
        for number in range(kept.windows, len(windows)):
            done = len(kept.rounds) * len(windows) + number

            def report(share: float, done: int = done) -> None:
                job.progress(done + share, total, unit="windows", label="Measuring layers")

            report(0.0)
            with evaluating(model, None):
                if measure == "influence":
                    found = _influences(scorer, blocks, windows[number])
                else:
                    found = _divergences(scorer, blocks, windows[number], kept.dropped, report)
            for block, value in found.items():
                kept.sums[block] = kept.sums.get(block, 0.0) + value
            kept.windows = number + 1
            job.throughput(windows.shape[1], unit="tokens")
            _write(place, kept)
        _end_round(job, kept, len(windows), 1 if measure == "greedy" else count, measure)
        _write(place, kept)
    job.progress(total, total, unit="windows", label="Measured")
    return Chosen(tuple(kept.dropped), tuple(kept.rounds))


def _end_round(job: JobContext, kept: _Kept, windows: int, count: int, measure: Measure) -> None:
    importance = {block: total / windows for block, total in sorted(kept.sums.items())}
    name = "block influence" if measure == "influence" else "KL without layer"
    if measure == "greedy" and kept.dropped:
        name += f", {len(kept.dropped)} dropped"
    for block, value in importance.items():
        job.metric(name, value, step=block, unit="" if measure == "influence" else "nats")
    least = sorted(importance, key=lambda block: (importance[block], block))[:count]
    for block in least:
        job.log(f"Layer {block} is dropped: {name} {importance[block]:.4f}.")
    kept.dropped += least
    kept.rounds.append(importance)
    kept.windows, kept.sums = 0, {}


def _influences(scorer: Scorer, blocks: Blocks, window: NDArray[np.int32]) -> dict[int, float]:
    import torch

    found: dict[int, float] = {}

    def see(number: int, before: Any, after: Any) -> None:
        alike = torch.nn.functional.cosine_similarity(before.float(), after.float(), dim=-1)
        found[number] = float(1 - alike.mean())

    with blocks.watched(see):
        scorer.logits(window[None].astype(np.int64), len(window) - 1)
    return found


def _divergences(
    scorer: Scorer,
    blocks: Blocks,
    window: NDArray[np.int32],
    dropped: list[int],
    report: Callable[[float], None],
) -> dict[int, float]:
    """The mean KL divergence from the whole model without each block, beside those that are dropped already.

    What goes into a block is the same with and without it. So each pass begins at its block, with what came
    in when nothing more was left out: half of the work, on average.
    """
    ids = window[None].astype(np.int64)
    since = min(FIRST_SCORED, len(window) // 2)
    reference = scorer.logits(ids, since)[0]
    inputs: dict[int, Any] = {}

    def see(number: int, before: Any, _after: Any) -> None:
        inputs[number] = before

    with blocks.skipped(dropped), blocks.watched(see):
        scorer.logits(ids, len(window) - 1)
    left = [block for block in range(len(blocks)) if block not in dropped]
    found = {}
    for place, block in enumerate(left):
        report(place / len(left))
        with blocks.skipped([*dropped, block], (block, inputs[block])):
            found[block] = divergence(reference, scorer.logits(ids, since)[0])
    return found


def divergence(reference: Any, candidate: Any) -> float:
    """The mean KL divergence of predictions from others, in nats; logits of shape (positions, vocabulary)."""
    import torch

    total = 0.0
    for part in positions_at_once(*reference.shape):
        total += float(
            torch.nn.functional.kl_div(
                candidate[part].float().log_softmax(-1),
                reference[part].float().log_softmax(-1),
                log_target=True,
                reduction="sum",
            )
        )
    return total / len(reference)


def _read(path: Path, of: str) -> _Kept:
    try:
        found = msgspec.json.decode(path.read_bytes(), type=_Kept)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return _Kept(of=of)
    return found if found.of == of else _Kept(of=of)


def _write(path: Path, kept: _Kept) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_bytes(msgspec.json.encode(kept))
    partial.replace(path)
