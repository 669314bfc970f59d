"""Fine-tunes a safetensors model on examples with PyTorch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from plugins._tuning_params import FinetuneParams
from workbench.plugin import JobContext, MissingExtraError, Model, operation


class FinetuneTorchParams(FinetuneParams):
    """What PyTorch offers is what every backend offers."""


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

    The proof compares the result with its base: the loss and the answers on held-out examples with a paired
    test, and what was forgotten, on text that it was not trained on.
    """
    try:
        import peft
        import torch
        import transformers
    except ImportError as error:
        raise MissingExtraError("PyTorch with transformers and PEFT", "torch") from error
    from plugins._torch_loading import load_base, prepare
    from plugins._torch_tuning import TorchBackend
    from plugins._tuning_packing import check_packing
    from plugins._tuning_run import Tuned, conditions, tune

    torch.set_num_threads(job.threads)
    torch.manual_seed(job.seed)
    versions = {each.__name__: each.__version__ for each in (torch, transformers, peft)}

    def make(*, end_tokens: tuple[int, ...]) -> TorchBackend:
        tuned = prepare(load_base(model.path, params), params, model.path.name)
        return TorchBackend(tuned, params, model.path, end_tokens, job.checkpoints)

    def proof(tuned: Tuned) -> dict[str, Any]:
        from plugins._torch_pair import TorchPair
        from plugins._tuning_proof import prove

        return prove(job, tuned, TorchPair(tuned, params, job.check), conditions(job, tuned, versions))

    return tune(
        job,
        model,
        params,
        make,
        name="torch",
        check=check_packing,
        prove=proof,
    )
