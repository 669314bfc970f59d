"""Fine-tunes on several workers of Ray, here or in the cluster that the job runs in."""

from __future__ import annotations

import threading
from typing import Any

from plugins._distributed_worker import Task, Word, train
from plugins._tuning_loop import Progress
from plugins._tuning_params import FinetuneParams
from plugins._tuning_run import Tuned, read_sides
from workbench.plugin import (
    JobContext,
    Model,
    OwnLoss,
    ParameterError,
    PromptTexts,
    WorkbenchError,
    data_readers,
    ray_session,
    threads_of_worker,
)

#: How often training begins again from its checkpoint after a worker died: machines fail now and then, and
#: what fails three times fails for a reason.
RESTARTS = 3
_TICK_S = 0.1


class Relay:
    """Stands between the workers and the process that runs the job. An actor; it calls nobody."""

    def __init__(self) -> None:
        self._words: list[Word] = []
        self._pauses = False

    def say(self, word: Word) -> None:
        """Hear what a worker says."""
        self._words.append(word)

    def take(self) -> list[Word]:
        """What was said since the last time."""
        taken, self._words = self._words, []
        return taken

    def pause(self) -> None:
        """Have the workers keep what they have, and end."""
        self._pauses = True

    def pauses(self) -> bool:
        """Whether that was asked for."""
        return self._pauses


def learn_together(
    job: JobContext,
    model: Model,
    params: FinetuneParams,
    workers: int,
    sharding: Any,
    own_loss: OwnLoss | None = None,
) -> Tuned:
    """Fine-tune with Ray Train, and publish; see `_tuning_run.learn`.

    The job's folder, its data and the model must lie where every worker sees them under the same path.

    Raises:
        MissingExtraError: Ray is not installed.
        WorkbenchError: Training can't go on; a worker died too often.
    """
    _check(params, sharding)
    with ray_session(workers) as ray:
        # Tokenized here, so that the workers find it done.
        sides = read_sides(job, model, params)
        task = Task(
            folder=job.folder,
            out=job.out,
            checkpoints=job.checkpoints,
            cache=job.cache,
            output_name=job.output_name,
            seed=job.seed,
            threads=threads_of_worker(job.threads, workers),
            model=model,
            params=params,
            readers=data_readers(),
            sharding=sharding,
            loss=own_loss.again if own_loss is not None else None,
        )
        relay = ray.remote(num_cpus=0)(Relay).remote()
        run = _Run(job, relay)
        run.follow(_trainer(task, relay, workers))
    if run.progress is None:
        job.check()
        raise WorkbenchError("The workers ended before they had a result.", remedy="Run the job again.")
    return Tuned(job.out / job.output_name, model, sides, PromptTexts(model.path), run.progress)


class _Run:
    """One run of the trainer, seen from the process that runs the job."""

    def __init__(self, job: JobContext, relay: Any) -> None:
        self._job = job
        self._relay = relay
        self._failed: BaseException | None = None
        self._asked = False
        self._stumbled = False
        self.progress: Progress | None = None

    def follow(self, trainer: Any) -> None:
        """Wait for the end, and pass on what the workers say.

        Raises:
            WorkbenchError: Training failed.
            JobCancelled: The person cancelled.
        """
        import ray

        thread = threading.Thread(target=self._fit, args=(trainer,), name="train", daemon=True)
        thread.start()
        at_work = True
        while at_work:
            thread.join(_TICK_S)
            # Once more after the end, for the last words.
            at_work = thread.is_alive()
            for word in ray.get(self._relay.take.remote()):
                self._hear(*word)
            self._ask_to_pause()
        if self._failed is not None and self.progress is None:
            raise WorkbenchError(
                f"A worker died {RESTARTS + 1} times.",
                remedy="Look into the details; the job can be resumed from its newest checkpoint.",
                details=str(self._failed),
            ) from self._failed

    def _fit(self, trainer: Any) -> None:
        try:
            trainer.fit()
        except BaseException as error:  # noqa: BLE001 - carried over to the thread that waits
            self._failed = error

    def _ask_to_pause(self) -> None:
        if not self._asked and self._job.pausing:
            self._asked = True
            self._relay.pause.remote()
        if not self._asked:
            self._job.check()

    def _hear(self, what: str, values: tuple[Any, ...], named: dict[str, Any]) -> None:
        if what == "refuse":
            kind, message, remedy, details = values
            refusal = WorkbenchError(message, remedy=remedy, details=details)
            refusal.kind = kind
            raise refusal
        if what == "learned":
            step, tokens, seconds = values
            self.progress = Progress(step=step, tokens=tokens, seconds=seconds, figures=named["figures"])
        elif what == "stumble":
            self._stumble(*values)
        elif what != "progress" or not self._asked:
            self._stumbled = self._stumbled and values[0] != "loss/train"
            # A context that was asked to pause raises at the next progress, before the workers are done.
            getattr(self._job, what)(*values, **named)

    def _stumble(self, details: str) -> None:
        """The first worker failed, maybe as another one died; what fails twice at one step fails for ever."""
        if self._stumbled:
            raise WorkbenchError(
                "Training on several workers failed, and so it did when it began again.",
                remedy="Look into the details.",
                details=details,
            )
        self._stumbled = True


def _check(params: FinetuneParams, sharding: str) -> None:
    if sharding == "fsdp" and params.method == "qlora":
        raise ParameterError(
            "sharding",
            "A base in 4 bits can't be split among workers.",
            remedy="Train with sharding=ddp, where every worker holds it, or method=lora.",
        )


def _trainer(task: Task, relay: Any, workers: int) -> Any:
    import ray
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer

    gpu = ray.cluster_resources().get("GPU", 0) >= workers
    return TorchTrainer(
        train,
        train_loop_config={"task": task, "relay": relay},
        torch_config=TorchConfig(backend="nccl" if gpu else "gloo"),
        scaling_config=ScalingConfig(num_workers=workers, use_gpu=gpu),
        run_config=RunConfig(
            name="train",
            storage_path=str(task.folder / "ray"),
            failure_config=FailureConfig(max_failures=RESTARTS),
        ),
    )
