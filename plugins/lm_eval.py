"""Runs public tasks of EleutherAI's lm-eval on a model, in whichever engine reads its format."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from workbench.plugin import (
    JobContext,
    LoadOptions,
    Model,
    Param,
    ParameterError,
    Params,
    fact,
    open_engine,
    operation,
)

#: What lm-eval calls a figure that has no filter, and how it marks a standard error.
_PLAIN, _ERROR = ",none", "_stderr"


class LmEvalParams(Params):
    tasks: list[str] = Param(
        ..., help="Names of tasks or groups, as hellaswag, arc_easy, gsm8k, or of your own"
    )
    folder: Path | None = Param(
        None,
        title="Tasks of your own",
        help="A folder with task files (YAML) beside those of lm-eval. A task may hold Python code, which"
        " runs with your rights",
        suffixes=("/",),
    )
    download: bool = Param(
        False, help="Fetch the data of public tasks from the Hugging Face hub; otherwise what is here is used"
    )
    limit: int = Param(
        0, ge=0, le=1_000_000, unit="items", help="Only so many items of each task; 0 for all of them"
    )
    examples: int = Param(
        -1,
        ge=-1,
        le=64,
        help="Solved examples before each question; -1 for the task's own number",
        advanced=True,
    )
    context: int = Param(2048, ge=64, le=1_000_000, unit="tokens", help="Longest question", advanced=True)
    width: int = Param(
        4, ge=1, le=256, unit="answers", help="How many answers are written at once", advanced=True
    )


@operation(
    "lm-eval",
    title="Run public tasks (lm-eval)",
    group="Measure",
    input="any",
    output=None,
    applies=(fact("format").differs_from("adapter", otherwise="Merge the adapter, and measure the result."),),
    label="lm-eval",
    requires=("lm-eval==0.4.13",),
    resumable=True,
    restarts=True,
)
def lm_eval(job: JobContext, model: Model, params: LmEvalParams) -> Path:
    """Ask a model the questions of public benchmarks, with EleutherAI's lm-eval.

    The model runs in its own engine (llama.cpp, MLX or PyTorch), so that a GGUF file and what it was
    made from are asked the same questions in the same way. Likelihoods are computed question by question,
    each from its first token. The result is a file with every figure, its standard error, and the versions
    of the tasks. lm-eval is installed into an environment of its own when it is first needed. Data of public
    tasks come from the hub where that is allowed, and are kept by the library that fetches them.

    Source: Gao et al., “The Language Model Evaluation Harness”, 2024, doi:10.5281/zenodo.12608602.
    """
    if params.download:
        # Set before the libraries look; the parameter is the person's consent to go online.
        os.environ["HF_HUB_OFFLINE"] = "0"
    # All of it in one thread: lm-eval imports and reads for seconds in which it asks nobody.
    results, asked = job.run_native(lambda: _evaluated(job, model, params))
    for task, figures in results["results"].items():
        for name, value in figures.items():
            if isinstance(value, float) and name.endswith(_PLAIN) and _ERROR not in name:
                job.metric(f"{task} {name.removesuffix(_PLAIN)}", value)
    job.progress(1, 1)
    job.log(f"{asked:,} questions of {', '.join(params.tasks)} were answered.")
    target = job.out / f"{job.output_name}.json"
    target.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return target


def _evaluated(job: JobContext, model: Model, params: LmEvalParams) -> tuple[dict[str, Any], int]:
    """What lm-eval finds, and how many questions were answered for it."""
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    from plugins._lm_eval_model import EngineModel

    manager = TaskManager(include_path=str(params.folder) if params.folder is not None else None)
    unknown = [name for name in params.tasks if name not in manager.all_tasks]
    if unknown:
        raise ParameterError(
            "tasks",
            f"lm-eval has no task {', '.join(unknown)}.",
            remedy="Its documentation lists all; those of your own lie in the folder of “Tasks of your own”.",
        )
    asked = 0

    def done(count: int) -> None:
        nonlocal asked
        asked += count
        job.check()
        if count:
            job.throughput(count, unit="questions")

    job.progress(0, 1, label="loading the model")
    engine = open_engine(
        LoadOptions(
            path=str(model.path),
            format=model.facts.format,
            context=min(params.context, model.facts.context_length or params.context),
            parallel=params.width,
            threads=job.threads,
        )
    )
    try:
        found = simple_evaluate(
            model=EngineModel(engine, done),
            tasks=list(params.tasks),
            num_fewshot=params.examples if params.examples >= 0 else None,
            limit=params.limit or None,
            task_manager=manager,
            random_seed=job.seed,
            numpy_random_seed=job.seed,
            torch_random_seed=job.seed,
            fewshot_random_seed=job.seed,
            bootstrap_iters=1000,
            log_samples=False,
        )
    finally:
        engine.close()
    return _plain(found), asked


def _plain(found: dict[str, Any]) -> dict[str, Any]:
    """The figures, without what differs from run to run: times, places, and the machine."""
    kept = {name: found.get(name, {}) for name in ("results", "groups", "versions", "n-shot", "n-samples")}
    plain: dict[str, Any] = json.loads(json.dumps(kept, default=str))
    return plain
