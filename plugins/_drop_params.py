"""The parameters of dropping layers."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from plugins._tuning_params import DATA_FILES
from workbench.plugin import Choice, Param, Params, Search, setting

_HEALS = (setting("heal").differs_from("none"),)


class DropLayersParams(Params):
    """What a person can set of a depth pruning."""

    count: int = Param(
        2,
        ge=1,
        le=1000,
        unit="layers",
        help="How many layers go",
        search=Search(values=(1, 2, 4, 6, 8)),
    )
    measure: Literal["greedy", "kl", "influence"] = Param(
        "kl",
        help="How it is seen which layers are needed least",
        choices=(
            Choice(
                value="greedy",
                title="KL, one after another",
                help="Measured anew after each layer that goes: the best choice, and the slowest.",
            ),
            Choice(value="kl", title="KL", help="What the predictions lose without each layer."),
            Choice(
                value="influence",
                title="Block influence",
                help="How far each layer turns what passes through it; the fastest; 2403.03853.",
            ),
        ),
    )
    text: Path | None = Param(
        None,
        help="A text or a dataset of the kind that the model will be used for; empty for the one that ships"
        " with Tenfold",
        suffixes=(".txt", ".md", ".jsonl", ".json", ".csv", ".tsv", ".parquet"),
    )
    windows: int = Param(
        4, ge=1, le=10_000, unit="windows", help="How much of the text the layers are measured on"
    )
    width: int = Param(256, ge=16, le=32_768, unit="tokens", help="How long a window is", advanced=True)
    heal: Literal["none", "lora", "full"] = Param(
        "none",
        help="Train what is left for a while, so that it makes up for what is gone",
        choices=(
            Choice(value="none", title="No healing"),
            Choice(value="lora", title="LoRA", help="A small adapter, merged at the end; 2106.09685."),
            Choice(value="full", title="All weights", help="Heals most; takes 16 bytes a weight."),
        ),
    )
    heal_by: Literal["original", "text"] = Param(
        "original",
        help="What the healing learns",
        choices=(
            Choice(value="original", title="The original", help="What the whole model predicts."),
            Choice(value="text", title="The text", help="The text's own tokens: one model in memory."),
        ),
        shown_when=_HEALS,
    )
    heal_data: list[Path] = Param(
        [],
        help="Texts or examples to heal with; empty for the text that ships with Tenfold, which is short",
        suffixes=DATA_FILES,
        shown_when=_HEALS,
    )
    heal_steps: int = Param(
        50, ge=1, le=1_000_000, unit="steps", help="Updates of the healing", shown_when=_HEALS
    )
    heal_tokens: int = Param(
        1024,
        ge=16,
        le=4_000_000,
        unit="tokens",
        help="Most tokens computed at once in the healing",
        shown_when=_HEALS,
        advanced=True,
    )
    heal_rate: float = Param(
        0.0,
        ge=0,
        le=1,
        help="Learning rate of the healing; 0 for 0.001 with LoRA, 0.0001 with all weights",
        shown_when=_HEALS,
        advanced=True,
    )
    heal_rank: int = Param(
        16,
        ge=1,
        le=1024,
        help="Rank of the adapter",
        shown_when=(setting("heal").equals("lora"),),
        advanced=True,
    )
