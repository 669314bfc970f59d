"""The settings of a fine-tuning that decide what it takes, whatever form or operation they come from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct

Method = Literal["lora", "rslora", "dora", "qlora", "full"]
METHODS: tuple[Method, ...] = ("lora", "rslora", "dora", "qlora", "full")
Backend = Literal["torch", "mlx"]


class TuningChoices(Struct, frozen=True, kw_only=True):
    """Settings by the names that the parameters of every fine-tuning operation have."""

    method: Method = "lora"
    objective: Literal["supervised", "dpo", "orpo"] = "supervised"
    rank: int = 16
    dropout: float = 0.0
    targets: tuple[str, ...] = ("all-linear",)
    layers: str = ""
    freeze: tuple[str, ...] = ()
    only: Literal["everything", "embeddings", "norms", "embeddings-and-norms"] = "everything"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    optimizer: Literal["adamw", "adafactor", "sgd"] = "adamw"
    gradient_checkpointing: bool = False
    batching: Literal["buckets", "packed", "random"] = "buckets"
    batch_tokens: int = 1024
    max_tokens: int = 512
    accumulation: int = 1


def choices_of(values: Mapping[str, Any]) -> TuningChoices:
    """The choices among an operation's values; names that are not known are passed over.

    Raises:
        msgspec.ValidationError: A value is of a wrong type, or none of those that are allowed.
    """
    known = {name: value for name, value in values.items() if name in TuningChoices.__struct_fields__}
    return msgspec.convert(known, TuningChoices, strict=False)
