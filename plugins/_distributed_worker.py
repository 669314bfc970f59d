"""One of several workers that fine-tune a model together: what Ray Train starts on each."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn

from plugins._distributed_backend import SharedBackend
from plugins._distributed_checkpoint import SharedCheckpoints
from plugins._torch_sharding import TorchGroup, same_weights, shard
from plugins._tuning_group import Group
from plugins._tuning_params import FinetuneParams
from workbench.plugin import (
    JobPaused,
    Model,
    OwnLoss,
    WorkbenchError,
    open_training_method,
    use_data_readers,
)

#: What a worker says of its job: the call, its positional and its named arguments.
Word = tuple[str, tuple[Any, ...], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Task:
    """What every worker is told.

    Attributes:
        folder, out, checkpoints, cache: The job's, where every worker sees them.
        readers: What reads data of kinds that Tenfold does not know.
        sharding: Whether each worker holds the whole model, or a part of its blocks.
        threads: Of one worker.
        loss: How a plugin's loss is opened anew; None for the usual one.
    """

    folder: Path
    out: Path
    checkpoints: Path
    cache: Path
    output_name: str
    seed: int
    threads: int
    model: Model
    params: FinetuneParams
    readers: tuple[Any, ...]
    sharding: Literal["ddp", "fsdp"]
    loss: tuple[str, Mapping[str, Any], tuple[Path, ...]] | None = None

    def own_loss(self) -> OwnLoss | None:
        """The plugin's loss, imported on this worker: from the same folder, or from what was sent to it."""
        if self.loss is None:
            return None
        named, options, folders = self.loss
        return open_training_method(named, options, (*folders, Path.cwd()))


def train(told: dict[str, Any]) -> None:
    """Fine-tune with the others. What can't be mended by starting again is said, not raised."""
    import torch

    task: Task = told["task"]
    use_data_readers(task.readers)
    torch.set_num_threads(task.threads)
    torch.manual_seed(task.seed)
    group = TorchGroup()
    job = WorkerJob(task, group, told["relay"])
    try:
        progress = _learn(task, job, group)
    except JobPaused:
        return
    except WorkbenchError as error:
        job.refuse(error)
        return
    except Exception:
        job.tell("stumble", traceback.format_exc())
        job.finish()
        raise
    job.tell("learned", progress.step, progress.tokens, progress.seconds, figures=progress.figures)
    job.finish()


def _learn(task: Task, job: WorkerJob, group: Group) -> Any:
    from plugins._torch_loading import device, load_base, prepare
    from plugins._torch_tuning import TorchBackend
    from plugins._tuning_packing import check_packing
    from plugins._tuning_run import learn

    own_loss = task.own_loss()
    params, sharded = task.params, task.sharding == "fsdp"

    def make(*, end_tokens: tuple[int, ...]) -> SharedBackend:
        # A model that is split need not fit whole into the memory of a device.
        base = load_base(task.model.path, params, "cpu" if sharded else None)
        tuned = prepare(base, params, task.model.name)
        same_weights(each for each in tuned.parameters() if each.requires_grad)
        if sharded:
            tuned = shard(tuned, device())
        own = TorchBackend(
            tuned,
            params,
            task.model.path,
            end_tokens,
            task.checkpoints,
            writes=group.rank == 0,
            own=own_loss,
        )
        return SharedBackend(own, group)

    kept = SharedCheckpoints(job, group)
    leads = group.rank == 0
    return learn(
        job,
        task.model,
        params,
        make,
        name="torch",
        check=check_packing,
        kept=kept,
        leads=leads,
        own_loss=own_loss,
    ).progress


class WorkerJob:
    """The job as a worker sees it: the first one's words go to the process that runs the job.

    See `workbench.plugin.JobContext`. Pausing is asked for there, and every worker hears of it at one step.
    """

    def __init__(self, task: Task, group: Group, relay: Any) -> None:
        self._task = task
        self._group = group
        self._relay = relay
        self._leads = group.rank == 0
        self._pauses = False
        self._last: Any = None

    @property
    def folder(self) -> Path:
        return self._task.folder

    @property
    def out(self) -> Path:
        return self._task.out

    @property
    def checkpoints(self) -> Path:
        return self._task.checkpoints

    @property
    def cache(self) -> Path:
        return self._task.cache

    @property
    def seed(self) -> int:
        return self._task.seed

    @property
    def threads(self) -> int:
        return self._task.threads

    @property
    def output_name(self) -> str:
        return self._task.output_name

    def progress(self, done: float, total: float, *, unit: str = "", label: str = "") -> None:
        self.tell("progress", done, total, unit=unit, label=label)
        self.check()

    def metric(self, name: str, value: float, *, step: int | None = None, unit: str = "") -> None:
        self.tell("metric", name, value, step=step, unit=unit)

    def sample(self, prompt: str, text: str, *, step: int, expected: str = "") -> None:
        self.tell("sample", prompt, text, step=step, expected=expected)

    def throughput(self, amount: float, *, unit: str) -> None:
        self.tell("throughput", amount, unit=unit)

    def log(self, text: str, *, level: Literal["info", "warning", "error"] = "info") -> None:
        self.tell("log", text, level=level)

    def check(self) -> None:
        if self._pauses:
            raise JobPaused

    @property
    def pausing(self) -> bool:
        import ray

        asked = float(ray.get(self._relay.pauses.remote())) if self._leads else 0.0
        self._pauses = bool(self._group.sum([asked])[0])
        return self._pauses

    def run_native(self, call: Callable[[], Any]) -> Any:
        return call()

    def secret(self, name: str) -> NoReturn:
        raise WorkbenchError(f"A training worker has no secrets, and {name} was asked for.")

    def reserve(self, path: Path, size_bytes: int) -> None:
        """The process that runs the job looks at the disk."""

    # What follows is the worker's, not the loop's.

    def tell(self, what: str, *values: Any, **named: Any) -> None:
        """Pass a word on, without waiting; the others keep theirs."""
        if self._leads:
            self._last = self._relay.say.remote((what, values, named))

    def refuse(self, error: WorkbenchError) -> None:
        """Say why the job can't go on, from whichever worker found out."""
        self._leads = True
        # As plain words: an exception with arguments of its own does not survive the way between processes.
        self.tell("refuse", error.kind, error.message, error.remedy, error.details)
        self.finish()

    def finish(self) -> None:
        """Wait until everything that was said has been heard."""
        import ray

        if self._last is not None:
            ray.get(self._last)
