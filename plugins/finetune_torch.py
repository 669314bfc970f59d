"""Fine-tunes a safetensors model on examples with PyTorch."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from plugins._torch_present import import_torch
from plugins._tuning_params import FinetuneParams
from workbench.plugin import Choice, JobContext, Model, Param, open_training_method, operation, setting


class FinetuneTorchParams(FinetuneParams):
    """Beside what every backend offers: several workers, which compute the same updates together."""

    workers: int = Param(
        1,
        ge=1,
        le=1024,
        help="Processes that train together through Ray: of this computer, or of the cluster it runs in",
        advanced=True,
    )
    sharding: Literal["ddp", "fsdp"] = Param(
        "ddp",
        help="What each worker holds",
        choices=(
            Choice(value="ddp", title="All of the model", help="Workers share the batches alone."),
            Choice(value="fsdp", title="A part of its blocks", help="For models too large; 2304.11277."),
        ),
        advanced=True,
        shown_when=(setting("workers").at_least(2),),
    )
    loss: str | None = Param(
        None,
        title="Loss of a plugin",
        help="Learn with a loss that a plugin offers, in place of the usual one",
        offered="training-method",
        advanced=True,
    )
    loss_options: dict[str, str] = Param(
        {},
        title="Options of the loss",
        help="What the plugin's loss can be set to, for example amount=0.2",
        advanced=True,
        shown_when=(setting("loss").differs_from(None),),
    )


@operation(
    "finetune-torch",
    title="Fine-tune (PyTorch)",
    group="Fine-tune",
    input="hf",
    output="any",
    backend="torch",
    label="{method}",
    resumable=True,
)
def finetune_torch(job: JobContext, model: Model, params: FinetuneTorchParams) -> Path:
    """Teach a model from examples, with PyTorch on a CPU, CUDA or Apple's GPU.

    The result is an adapter in PEFT's form that belongs to the model, or, with method=full, a model. What is
    learned are the answers; prompts and templates are seen alone. Examples are tokenized once and kept for
    the next run on the same data. A held-out side, chosen by each example's content, is scored before,
    during and after, and the best weights by that score are the result.

    A run that was killed, paused or cut off goes on from its newest checkpoint with the same batches, rates
    and random numbers: on a CPU its weights are bit-identical to those of a run in one piece.

    With several workers each computes some rows of every batch, and the gradients are summed: the losses are
    those of one worker up to rounding (dropout apart, which each worker draws for itself). When a worker
    dies, all go on from the newest checkpoint. Folder, data and model must lie where every worker sees them.

    A plugin may offer a loss of its own, which is then learned and measured in place of the usual one.

    The proof compares the result with its base: the loss and the answers on held-out examples with a paired
    test, and what was forgotten, on text that it was not trained on.
    """
    import_torch(job, "peft")
    import peft
    import torch
    import transformers

    from plugins._torch_loading import load_base, prepare
    from plugins._torch_own_loss import check_objective
    from plugins._torch_tuning import TorchBackend
    from plugins._tuning_packing import check_packing
    from plugins._tuning_run import Tuned, conditions, keep_measured, learn, proven

    own = open_training_method(params.loss, params.loss_options) if params.loss else None
    if own is not None:
        check_objective(own, params)
    torch.manual_seed(job.seed)
    versions = {each.__name__: each.__version__ for each in (torch, transformers, peft)}

    def make(*, end_tokens: tuple[int, ...]) -> TorchBackend:
        tuned = job.run_native(lambda: prepare(load_base(model.path, params), params, model.name))
        return TorchBackend(tuned, params, model.path, end_tokens, job.checkpoints, own=own)

    def proof(tuned: Tuned) -> dict[str, Any]:
        from plugins._torch_pair import TorchPair
        from plugins._tuning_proof import prove

        return prove(job, tuned, TorchPair(tuned, params, job.check), conditions(job, tuned, versions))

    if params.workers > 1:
        from plugins._distributed_ray import learn_together

        tuned = learn_together(job, model, params, params.workers, params.sharding, own)
    else:
        tuned = learn(job, model, params, make, name="torch", check=check_packing, own_loss=own)
        keep_measured(job, tuned, "torch")
    return proven(tuned, params, proof)
