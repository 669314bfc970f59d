"""Fine-tunes a safetensors or MLX model on examples with MLX."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

from plugins._mlx_present import import_mlx
from plugins._tuning_params import FinetuneParams
from workbench.plugin import JobContext, Model, fact, launch_folder, operation


class FinetuneMlxParams(FinetuneParams):
    """The same as everywhere; of the initialisations, those that leave the base as it is."""


@operation(
    "finetune-mlx",
    title="Fine-tune (MLX)",
    group="Fine-tune",
    input="any",
    output="any",
    backend="mlx",
    applies=(
        fact("format").one_of(
            "hf", "mlx", otherwise="MLX trains safetensors models and those that were made for MLX."
        ),
    ),
    label="{method}",
    resumable=True,
)
def finetune_mlx(job: JobContext, model: Model, params: FinetuneMlxParams) -> Path:
    """Teach a model from examples, with MLX on Apple silicon.

    The result is an adapter in PEFT's form that belongs to the model, or, with method=full, a model. What is
    learned are the answers; prompts and templates are seen alone. Examples are tokenized once and kept for
    the next run on the same data. A held-out side, chosen by each example's content, is scored before,
    during and after, and the best weights by that score are the result. Batches, their order and the rates
    are those of the training with PyTorch.

    A base that was quantized for MLX stays in its bits, under any kind of adapter; with method=qlora a base
    in full precision is held in 4 bits. A run that was killed, paused or cut off goes on from its newest
    checkpoint with the same batches, rates and random numbers: on a CPU its weights are bit-identical to
    those of a run in one piece. It also runs on Linux, slowly, with the same results.

    Started by `mlx.launch -n N job.py`, N processes train together, on one Mac or several: each computes some
    rows of every batch, and the gradients are summed. The losses are those of one process up to rounding;
    where there are several machines, all must see the folder of the result.

    The proof compares the result with its base: the loss and the answers on held-out examples with a paired
    test, and what was forgotten, on text that it was not trained on.
    """
    import_mlx(job)
    import mlx.core as mx

    from plugins._distributed_backend import SharedBackend
    from plugins._distributed_checkpoint import SharedCheckpoints
    from plugins._mlx_group import launched_group
    from plugins._mlx_kernels import kernels_kept
    from plugins._mlx_loading import load_base, prepare
    from plugins._mlx_memory import give_back
    from plugins._mlx_tuning import MlxBackend
    from plugins._tuning_backend import Backend
    from plugins._tuning_packing import check_packing
    from plugins._tuning_run import Tuned, conditions, keep_measured, learn, proven

    mx.random.seed(job.seed)
    versions = {name: version(name) for name in ("mlx", "mlx-lm")}

    group = launched_group()
    leads = group is None or group.rank == 0

    def make(*, end_tokens: tuple[int, ...]) -> Backend:
        base = load_base(model.path, params)
        job.check()
        adapter = prepare(base, params, model.path, job.seed, model.name)
        own = MlxBackend(base, adapter, params, model.path, end_tokens, writes=leads, check=job.check)
        return SharedBackend(own, group) if group is not None else own

    def proof(tuned: Tuned) -> dict[str, Any]:
        from plugins._mlx_pair import MlxPair
        from plugins._tuning_proof import prove

        return prove(job, tuned, MlxPair(tuned, params, job.check), conditions(job, tuned, versions))

    kept = None
    if group is not None:
        kept = SharedCheckpoints(job, group, launch_folder(job.folder) / "checkpoints")
    try:
        with kernels_kept(job):
            tuned = learn(job, model, params, make, name="mlx", check=check_packing, kept=kept)
            if group is None:
                keep_measured(job, tuned, "mlx")
            return proven(tuned, params, proof) if leads else tuned.result
    finally:
        give_back()
