"""Measures what an adapter does to the model that it was trained on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import numpy as np

from plugins._tuning_params import FinetuneParams
from workbench.plugin import (
    JobContext,
    MissingExtraError,
    Model,
    Param,
    Params,
    PromptTexts,
    Recipe,
    Side,
    Sides,
    data_layout,
    operation,
    setting,
    side_of,
)


class ProveAdapterParams(Params):
    adapter: Path = Param(..., help="The folder of a LoRA adapter in PEFT's form", suffixes=("/",))
    data: list[Path] = Param(
        ..., help="Examples of what it should have learned: JSONL, JSON, CSV, TSV, Parquet or text"
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
    held_out: float = Param(
        1.0,
        ge=0.01,
        le=1,
        help="Share of the examples that it is measured on, chosen as a fine-tuning chooses what it holds"
        " out; 1 for all, where it was trained on none of them",
    )
    held_out_data: list[Path] = Param(
        [], help="Files of examples to measure on, instead of a share of the data", advanced=True
    )
    max_tokens: int = Param(512, ge=8, le=1_000_000, unit="tokens", help="Longest length of an example")


@operation(
    "prove-adapter",
    title="Measure an adapter",
    group="Fine-tune",
    input="hf",
    output=None,
    backend="torch",
    resumable=True,
    restarts=True,
)
def prove_adapter(job: JobContext, model: Model, params: ProveAdapterParams) -> Path:
    """Compare a model with and without an adapter: what the adapter taught it, and what it made it forget.

    The same figures as a fine-tuning's proof, for an adapter that came from elsewhere: the loss and the
    answers on the examples with a paired test, and on text and questions that ship with Tenfold the KL
    divergence and what is still answered rightly. The result is a file with all of it.

    Figures say nothing where the adapter was trained on the examples that it is measured on.
    """
    try:
        import peft
        import torch
        import transformers
    except ImportError as error:
        raise MissingExtraError("PyTorch with transformers and PEFT", "torch") from error
    from plugins._adapter_folder import read_adapter
    from plugins._torch_pair import TorchPair
    from plugins._tuning_loop import Progress
    from plugins._tuning_proof import compare
    from plugins._tuning_run import PROOF, Tuned, conditions

    torch.set_num_threads(job.threads)
    adapter = read_adapter(params.adapter)
    side = _side(job, model, params)
    job.log(f"{len(side)} examples to measure on.")
    tuned = Tuned(
        result=adapter.path,
        model=model,
        sides=Sides(train=_nothing(side), held_out=side, refusals=(), lines=()),
        texts=PromptTexts(model.path),
        progress=Progress(),
    )
    pair = TorchPair(tuned, FinetuneParams(data=params.data, max_tokens=params.max_tokens), job.check)
    versions = {each.__name__: each.__version__ for each in (torch, transformers, peft)}
    try:
        found = compare(job, tuned, pair, {**conditions(job, tuned, versions), "adapter": adapter.name})
    finally:
        pair.close()
    target = job.out / PROOF
    target.write_text(json.dumps(found, indent=2, ensure_ascii=False), encoding="utf-8")
    return target


def _side(job: JobContext, model: Model, params: ProveAdapterParams) -> Side:
    files = params.held_out_data or params.data
    return side_of(
        Recipe(
            files=tuple(str(each.expanduser().resolve()) for each in files),
            tokenizer=str(model.path),
            layout=None if params.layout == "auto" else data_layout(params.layout, params.fields),
        ),
        job.cache / "tokens",
        share=1.0 if params.held_out_data else params.held_out,
        longest=params.max_tokens,
        processes=job.threads,
        progress=lambda done, total: job.progress(done, total, unit="bytes", label="tokenizing"),
    )


def _nothing(side: Side) -> Side:
    return Side(tokens=side.tokens, examples=np.zeros(0, dtype=np.int64), longest=side.longest)
