"""Estimates with mlx-lm which layers of a model suffer most from few bits, a window at a time."""

from __future__ import annotations

import os
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from plugins._fingerprint import fingerprint
from plugins._fitting_text import FittingText
from plugins._mlx_memory import on_gpu
from workbench.plugin import JobContext, Model, ParameterError, windows_of


@dataclass(frozen=True, slots=True)
class Levels:
    """The two ways in which a layer may be stored.

    Attributes:
        low: Bits of most layers.
        high: Bits of those that need them.
        group: Weights that share a scale.
    """

    low: int
    high: int
    group: int


class _Kept(Struct):
    of: str
    windows: int = 0
    sums: dict[str, float] = {}


def layer_gains(
    job: JobContext,
    model: Model,
    loaded: Any,
    tokenizer: Any,
    text: FittingText,
    levels: Levels,
    *,
    width: int,
    windows: int,
) -> tuple[dict[str, float], list[list[int]]]:
    """How much KL divergence each layer would save with the high bits instead of the low ones, in nats.

    A first-order estimate by mlx-lm's `estimate_sensitivities`: with all layers in low bits, the gradient of
    the divergence along the way from a layer's low weights to its high ones. It is linear in the gradient, so
    the mean over windows is the estimate over all of them; that lets each window be kept.

    Returns:
        The gains by layer, and the windows.

    Raises:
        ParameterError: A layer's width is no multiple of the group.
        WorkbenchError: The text is shorter than a window.
    """
    os.environ["TQDM_DISABLE"] = "1"  # its bars would fill the log
    import mlx.core as mx
    from mlx_lm.quant.dynamic_quant import estimate_sensitivities

    begin = tokenizer.encode("")
    ids = tokenizer.encode(text.text, add_special_tokens=False)
    cut = windows_of(ids, width, windows, begin=begin[0] if len(begin) == 1 else None).tolist()
    sizes = {name: each.weight.size for name, each in quantizable(loaded).items()}
    # A processor computes bfloat16 by way of float32, which is slower than float32 itself.
    loaded.set_dtype(mx.bfloat16 if on_gpu() else mx.float32)
    place = job.checkpoints / "gains.json"
    kept = _read(place, fingerprint(model, text.sha256, astuple(levels), width, windows))
    for number in range(kept.windows, len(cut)):
        job.progress(number, len(cut), unit="windows", label="Measuring layers")
        try:
            found = estimate_sensitivities(
                loaded,
                mx.array([cut[number]]),
                levels.low,
                levels.group,
                levels.high,
                levels.group,
                batch_size=1,
            )
        except ValueError as error:
            raise ParameterError(
                "group_size",
                f"A layer of {model.name} has a width that is no multiple of {levels.group}.",
                remedy="Choose a smaller group.",
            ) from error
        for name, each in found:
            # mlx-lm states it for a million weights.
            kept.sums[name] = kept.sums.get(name, 0.0) + each * sizes[name] / 1e6
        kept.windows = number + 1
        job.throughput(width, unit="tokens")
        place.parent.mkdir(parents=True, exist_ok=True)
        partial = place.with_suffix(".partial")
        partial.write_bytes(msgspec.json.encode(kept))
        partial.replace(place)
    job.progress(len(cut), len(cut), unit="windows", label="Measured")
    return {name: total / len(cut) for name, total in kept.sums.items()}, cut


def quantizable(loaded: Any) -> dict[str, Any]:
    """The layers that MLX can store in few bits, by path."""
    return {name: each for name, each in loaded.named_modules() if hasattr(each, "to_quantized")}


def _read(path: Path, of: str) -> _Kept:
    try:
        found = msgspec.json.decode(path.read_bytes(), type=_Kept)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return _Kept(of=of)
    return found if found.of == of else _Kept(of=of)
