"""Measures a model here, and how far it is from the one that it was made from."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Literal

from plugins._mlx_kernels import kernels_kept
from workbench.plugin import (
    JobContext,
    Model,
    Param,
    Params,
    ProofRequest,
    encode_card,
    fact,
    measured_model,
    operation,
    plain_text,
    prove,
    setting,
)


class ProveParams(Params):
    against: Path | None = Param(
        None,
        title="Compare with",
        help="The model that it was made from, or one with the same tokens; none to measure speed and "
        "memory alone",
        suffixes=(".gguf", "/"),
    )
    against_name: str = Param("", title="Its name", help="What the card calls that model", advanced=True)
    form: Literal["quick", "full"] = Param(
        "quick",
        help="Quick takes about a minute for a small model; full measures more text, batch sizes and depths",
    )
    text: Path | None = Param(
        None,
        title="Text",
        help="A text or dataset of your own to compare on, instead of the text that ships with Tenfold",
        suffixes=(".txt", ".md", ".jsonl", ".json", ".csv", ".tsv", ".parquet"),
        shown_when=(setting("against").known(),),
    )
    windows: int = Param(
        0,
        ge=0,
        le=100_000,
        help="How many windows of 512 tokens to compare; 0 for what the form takes",
        shown_when=(setting("against").known(),),
        advanced=True,
    )
    tasks: list[Path] = Param(
        [],
        help="Sets of questions of your own (JSONL or CSV), beside those that ship with Tenfold",
        shown_when=(setting("against").known(),),
        advanced=True,
    )
    metrics: list[str] = Param(
        [],
        help="Figures of plugins to measure too, of both models",
        offered="metric",
    )
    between: list[Path] = Param(
        [],
        title="On the way",
        help="Models between that one and this, oldest first; if template, tokens or predictions broke, the"
        " step that did it is looked for among them",
        suffixes=(".gguf", "/"),
        shown_when=(setting("against").known(),),
        advanced=True,
    )
    between_names: list[str] = Param(
        [],
        title="Their names",
        help="What the card calls the models on the way",
        shown_when=(setting("against").known(),),
        advanced=True,
    )
    stage: str = Param(
        "",
        help="The step that made the model, which a failed parity check names",
        shown_when=(setting("against").known(),),
        advanced=True,
    )
    retrained: bool = Param(
        False,
        help="It was trained on since, so its predictions differ on purpose and get no grade",
        shown_when=(setting("against").known(),),
        advanced=True,
    )
    merged: bool = Param(
        False,
        help="Adapters were merged into the other model, so look whether that was ever quantized",
        shown_when=(setting("against").known(),),
        advanced=True,
    )
    speed: bool = Param(True, title="Speed and memory", help="Measure these too", advanced=True)
    again: bool = Param(False, help="Measure anew what was measured before", advanced=True)
    workers: int = Param(
        1,
        ge=1,
        le=1024,
        help="Processes that share the windows of the text, through Ray: of this computer, or of the cluster"
        " it runs in",
        shown_when=(setting("against").known(),),
        advanced=True,
    )


@operation(
    "prove",
    title="Measure",
    group="Measure",
    input="any",
    output=None,
    applies=(fact("format").differs_from("adapter", otherwise="An adapter is measured with its base."),),
    label="{form}",
    resumable=True,
    restarts=True,
    reproducible=False,
)
def prove_model(job: JobContext, model: Model, params: ProveParams) -> Path:
    """Measure what a model gained here, and what that cost, beside the one that it was made from.

    Speed by prompt length, batch and depth, memory, and where there is a model to compare with: perplexity
    and KL divergence on a text (the method of llama.cpp's `llama-perplexity --kl-divergence`), answers to
    questions with a paired test, whether greedy answers are identical, and whether template and tokens
    survived. Figures of plugins can be measured beside these. The result is a proof card. What was measured
    before on the same files is not measured again.
    """
    reference = None
    if params.against is not None:
        reference = measured_model(params.against, params.against_name, check=job.check)
    names = [*params.between_names, *([""] * len(params.between))][: len(params.between)]
    with kernels_kept(job) if model.facts.format == "mlx" else nullcontext():
        card = prove(
            ProofRequest(
                candidate=measured_model(model.path, model.name, model.sha256, check=job.check),
                reference=reference,
                form=params.form,
                text=plain_text(params.text) if params.text is not None else None,
                text_name=params.text.name if params.text is not None else "",
                windows=params.windows or None,
                tasks=tuple(params.tasks),
                between=tuple(
                    measured_model(path, name, check=job.check)
                    for path, name in zip(params.between, names, strict=True)
                ),
                stage=params.stage,
                seed=job.seed,
                threads=job.threads,
                retrained=params.retrained,
                merged=params.merged,
                speed=params.speed,
                again=params.again,
                metrics=tuple(params.metrics),
                workers=params.workers,
            ),
            cache=job.cache,
            report=job,
        )
    job.log(card.headline)
    target = job.out / f"{job.output_name}.proof.json"
    target.write_bytes(encode_card(card))
    return target
