"""The parameters of fine-tuning, the same for every backend."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from workbench.plugin import Choice, Param, Params, Search, setting

_ADAPTERS = ("lora", "rslora", "dora", "qlora")
_FOR_PAIRS = (setting("objective").one_of("dpo", "orpo"),)
_FOR_ADAPTERS = (setting("method").one_of(*_ADAPTERS),)
DATA_FILES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".txt", ".md")


class FinetuneParams(Params):
    """What a person can set of a fine-tuning."""

    data: list[Path] = Param(
        ...,
        help="Examples: JSONL, JSON, CSV, TSV, Parquet or text; several files are learned together",
        suffixes=DATA_FILES,
    )
    weights: list[str] = Param(
        [],
        help="How often an epoch has each row of each file, one number a file; 1 where empty",
        advanced=True,
    )
    layout: Literal["auto", "chat", "completion", "instruction", "preference", "text"] = Param(
        "auto", help="What the rows are; auto tells it from their fields", advanced=True
    )
    fields: dict[str, str] = Param(
        {},
        help="With a layout: which field of a row is which part, for example prompt=question",
        shown_when=(setting("layout").differs_from("auto"),),
        advanced=True,
    )
    held_out: float = Param(0.1, ge=0, le=0.5, help="Share of the examples kept for evaluation")
    held_out_data: list[Path] = Param(
        [],
        help="Files of examples for evaluation, instead of a share of the data",
        suffixes=DATA_FILES,
        advanced=True,
    )
    bad_rows: Literal["skip", "refuse"] = Param(
        "skip", help="Rows that can't be used are left out and counted, or end the job", advanced=True
    )
    long_rows: Literal["cut", "skip", "refuse"] = Param(
        "cut", help="What becomes of examples that are longer than the longest length", advanced=True
    )
    trained: Literal["all-answers", "last-answer", "everything"] = Param(
        "all-answers", help="Which turns of a conversation are learned", advanced=True
    )
    objective: Literal["supervised", "dpo", "orpo"] = Param(
        "supervised",
        help="What is learned",
        choices=(
            Choice(value="supervised", title="Answers", help="Learn the answers as they stand."),
            Choice(value="dpo", title="Preferences (DPO)", help="Prefer one answer to another; 2305.18290."),
            Choice(
                value="orpo",
                title="Preferences (ORPO)",
                help="Learn the better answer and prefer it, without a reference; 2403.07691.",
            ),
        ),
    )
    beta: float = Param(0.1, ge=0.001, le=10, help="How strongly a preference counts", shown_when=_FOR_PAIRS)
    method: Literal["lora", "rslora", "dora", "qlora", "full"] = Param(
        "lora",
        help="What is trained",
        choices=(
            Choice(value="lora", title="LoRA", help="A small adapter beside the weights; 2106.09685."),
            Choice(value="rslora", title="rsLoRA", help="LoRA whose scale suits high ranks; 2312.03732."),
            Choice(value="dora", title="DoRA", help="Direction and length apart; slower; 2402.09353."),
            Choice(value="qlora", title="QLoRA", help="LoRA over a base in 4 bits; 2305.14314."),
            Choice(value="full", title="All weights", help="The whole model: most memory, most to forget."),
        ),
    )
    rank: int = Param(
        16,
        ge=1,
        le=1024,
        help="Rank of the adapter: more can learn more, and takes more",
        search=Search(values=(4, 8, 16, 32, 64)),
        shown_when=_FOR_ADAPTERS,
    )
    alpha: float = Param(
        32.0,
        ge=0.1,
        le=4096,
        help="Weight of the adapter: alpha / rank; alpha / √rank with rsLoRA",
        shown_when=_FOR_ADAPTERS,
    )
    dropout: float = Param(
        0.0,
        ge=0,
        le=0.9,
        help="Share of the adapter's inputs that is dropped in training",
        advanced=True,
        shown_when=_FOR_ADAPTERS,
    )
    targets: list[str] = Param(
        ["all-linear"],
        help="Modules that get an adapter, by the end of their name, for example q_proj,v_proj",
        advanced=True,
        shown_when=_FOR_ADAPTERS,
    )
    initialisation: Literal["default", "gaussian", "orthogonal", "pissa", "olora"] = Param(
        "default",
        help="How the adapter begins",
        choices=(
            Choice(value="default", help="Kaiming for A, zeros for B, as in LoRA's own code."),
            Choice(value="gaussian", help="Normal for A, zeros for B."),
            Choice(value="orthogonal", help="Orthogonal A and B."),
            Choice(value="pissa", title="PiSSA", help="The weights' main directions; 2404.02948."),
            Choice(value="olora", title="OLoRA", help="QR of the weights; 2406.01775."),
        ),
        advanced=True,
        shown_when=_FOR_ADAPTERS,
    )
    layers: str = Param("", help="Blocks that are trained, for example 20-29; all where empty", advanced=True)
    freeze: list[str] = Param(
        [],
        help="Names of weights that stay as they are, with * for anything, for example *.mlp.*",
        advanced=True,
    )
    only: Literal["everything", "embeddings", "norms", "embeddings-and-norms"] = Param(
        "everything",
        help="Train these weights alone",
        shown_when=(setting("method").equals("full"),),
        advanced=True,
    )
    learning_rate: float = Param(
        1e-3,
        ge=1e-8,
        le=1,
        help="At the top of the schedule",
        search=Search(low=1e-5, high=1e-2, log=True),
    )
    schedule: Literal["cosine", "linear", "constant"] = Param(
        "cosine", help="How the rate falls", advanced=True
    )
    warmup: float = Param(
        0.05, ge=0, le=0.9, help="Share of the steps in which the rate rises", advanced=True
    )
    epochs: float = Param(1.0, ge=0.01, le=1000, help="How often every example is seen")
    steps: int = Param(
        0, ge=0, le=10_000_000, help="Updates in all; 0 for what the epochs make", advanced=True
    )
    batch_tokens: int = Param(1024, ge=16, le=4_000_000, unit="tokens", help="Most tokens computed at once")
    accumulation: int = Param(
        1, ge=1, le=1024, unit="batches", help="Batches that make one update", advanced=True
    )
    batching: Literal["buckets", "packed", "random"] = Param(
        "buckets",
        help="How examples share a batch",
        choices=(
            Choice(value="buckets", help="Examples of like length together: hardly any padding."),
            Choice(value="packed", help="Rows packed full, each example seeing itself alone."),
            Choice(value="random", help="In random order, padded to the longest."),
        ),
        advanced=True,
    )
    max_tokens: int = Param(512, ge=8, le=1_000_000, unit="tokens", help="Longest length of an example")
    optimizer: Literal["adamw", "adafactor", "sgd"] = Param(
        "adamw",
        help="What makes an update of the gradients",
        choices=(
            Choice(value="adamw", title="AdamW", help="The usual; two numbers a trained weight; 1711.05101."),
            Choice(value="adafactor", title="Adafactor", help="Little memory; 1804.04235."),
            Choice(value="sgd", title="SGD", help="No memory, with much tuning of the rate."),
        ),
        advanced=True,
    )
    weight_decay: float = Param(0.0, ge=0, le=1, help="How fast weights shrink by themselves", advanced=True)
    clip: float = Param(1.0, ge=0, le=1000, help="Largest gradient norm; 0 for no limit", advanced=True)
    precision: Literal["auto", "float32", "bfloat16"] = Param(
        "auto", help="Arithmetic of the model; trained weights are kept in float32", advanced=True
    )
    gradient_checkpointing: bool = Param(
        False, help="Compute activations twice, to need less memory", advanced=True
    )
    evaluate_every: int = Param(
        0, ge=0, le=1_000_000, unit="steps", help="0 for ten times in the run", advanced=True
    )
    sample_prompts: list[str] = Param(
        [],
        help="Prompts that are answered at each evaluation; held-out examples where empty",
        advanced=True,
    )
    checkpoint_every: int = Param(
        50, ge=1, le=1_000_000, unit="steps", help="What a kill can cost at most", advanced=True
    )
    patience: int = Param(
        0, ge=0, le=1000, help="End early after so many evaluations in vain; 0 for never", advanced=True
    )
    proof: bool = Param(True, help="Compare the result with the base: what it learned, what it forgot")
