"""The public surface for plugin authors. What is not named in `__all__` here is private.

A whole plugin::

    from pathlib import Path
    from workbench.plugin import JobContext, Model, Param, Params, operation

    class CopyParams(Params):
        times: int = Param(1, ge=1, le=4, help="How often to copy")

    @operation("copy", title="Copy", group="Other", input="hf", output="hf")
    def copy(job: JobContext, model: Model, params: CopyParams) -> Path:
        \"\"\"Copy the model.\"\"\"
        ...
        return job.out / "copy"
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar, get_type_hints, runtime_checkable

from pydantic import BaseModel, ConfigDict

from workbench.conditions import Condition, fact, setting
from workbench.data.batches import Batch, epoch_batches
from workbench.data.batches import Plan as BatchPlan
from workbench.data.collate import IGNORED, Arrays, collate
from workbench.data.errors import DataError
from workbench.data.layout import mapped as data_layout
from workbench.data.plain import plain_text
from workbench.data.sides import Side, SideChoices, Sides, open_sides, side_of
from workbench.data.texts import PromptTexts
from workbench.data.token_set import TokenSet
from workbench.data.tokenizing import Recipe, token_set
from workbench.engines.base import Engine
from workbench.engines.request import Constraint, LoadOptions, Message, Request, Sampling
from workbench.engines.wire import Delta, Failed, Finished, Started
from workbench.errors import (
    DiskFullError,
    HubError,
    JobCancelled,
    JobPaused,
    MissingExtraError,
    ModelFileError,
    OutOfMemoryError,
    ParameterError,
    PluginError,
    UnsafeModelError,
    WorkbenchError,
)
from workbench.hardware import peak_resident_bytes
from workbench.measure.card import Card
from workbench.measure.card import encode as encode_card
from workbench.measure.divergence import Distance, Divergence
from workbench.measure.exact_match import exact_match, may_become
from workbench.measure.measured import Measured, measured_model
from workbench.measure.paired import Paired, paired
from workbench.measure.proof_request import ProofRequest
from workbench.measure.questions import Question
from workbench.measure.stages import Report
from workbench.measure.verdict import forgotten, verdict
from workbench.measure.windows import windows_of
from workbench.model import Model, ModelFacts, ModelFormat, TensorGroup
from workbench.params import Choice, FieldSpec, Param, Params, Search, fields_of
from workbench.tuning.selection import Selection, is_target, read_selection

#: The version of this surface: the first number changes when a plugin must be changed.
API_VERSION = "1.0"

#: What an operation runs on; the runner keeps slots for each. `network` is for downloads.
Needs = Literal["cpu", "gpu", "network"]

#: Extras of Tenfold that hold a backend.
Backend = Literal["llama", "torch", "mlx", ""]

__all__ = [
    "API_VERSION",
    "IGNORED",
    "Arrays",
    "Backend",
    "Batch",
    "BatchPlan",
    "Card",
    "Choice",
    "Condition",
    "Constraint",
    "DataError",
    "Delta",
    "DiskFullError",
    "Distance",
    "Divergence",
    "Engine",
    "Failed",
    "Finished",
    "HubError",
    "JobCancelled",
    "JobContext",
    "JobPaused",
    "LoadOptions",
    "Measured",
    "Message",
    "MissingExtraError",
    "Model",
    "ModelFacts",
    "ModelFileError",
    "ModelFormat",
    "Needs",
    "Operation",
    "OutOfMemoryError",
    "Paired",
    "Param",
    "ParameterError",
    "Params",
    "PluginError",
    "PromptTexts",
    "ProofRequest",
    "Question",
    "Recipe",
    "Request",
    "Sampling",
    "Search",
    "Selection",
    "Side",
    "SideChoices",
    "Sides",
    "Started",
    "TensorGroup",
    "TokenSet",
    "UnsafeModelError",
    "WorkbenchError",
    "calibration_text",
    "collate",
    "data_layout",
    "encode_card",
    "epoch_batches",
    "exact_match",
    "fact",
    "forgotten",
    "general_items",
    "general_text",
    "is_target",
    "may_become",
    "measured_model",
    "open_engine",
    "open_sides",
    "operation",
    "paired",
    "peak_resident_bytes",
    "plain_text",
    "prove",
    "read_selection",
    "setting",
    "side_of",
    "token_set",
    "verdict",
    "windows_of",
]


@runtime_checkable
class JobContext(Protocol):
    """What a running operation has in hand. Every call returns quickly and may be made often."""

    @property
    def folder(self) -> Path:
        """The job's own folder; write nowhere else."""

    @property
    def out(self) -> Path:
        """Where results are built. What `run` returns is published from here, whole or not at all."""

    @property
    def checkpoints(self) -> Path:
        """Where the operation keeps what it needs to go on after a pause, a kill or a power cut."""

    @property
    def cache(self) -> Path:
        """Where an operation may keep what other jobs can use too; anything there may be deleted."""

    @property
    def seed(self) -> int:
        """The seed of every random choice."""

    @property
    def threads(self) -> int:
        """How many CPU threads this job may use."""

    @property
    def output_name(self) -> str:
        """A file name without ending for the result, for example `SmolLM2-135M-Q4_K_M`."""

    def progress(self, done: float, total: float, *, unit: str = "", label: str = "") -> None:
        """Report real progress: `done` of `total`, in `unit` (for example `tensors`).

        Raises:
            JobCancelled: The person cancelled.
            JobPaused: The person paused; checkpoint first, at points where `pausing` is true.
        """

    def metric(self, name: str, value: float, *, step: int | None = None, unit: str = "") -> None:
        """Report one figure of a series, for example `metric("kl", 0.04, step=3)`."""

    def sample(self, prompt: str, text: str, *, step: int, expected: str = "") -> None:
        """Report what a model in training answered at a step, and what would have been right."""

    def throughput(self, amount: float, *, unit: str) -> None:
        """Count work that was just done; the sampler turns it into `unit` per second, twice a second.

        The unit that is counted first is the job's throughput; others are shown beside it.
        """

    def log(self, text: str, *, level: Literal["info", "warning", "error"] = "info") -> None:
        """Write one line to the job's log."""

    def check(self) -> None:
        """Raise if the person cancelled or paused; call it between steps that report no progress.

        Raises:
            JobCancelled: The person cancelled.
            JobPaused: The person paused.
        """

    @property
    def pausing(self) -> bool:
        """Whether a pause was asked for, so that a checkpoint made now is the one to resume from."""

    def run_native(self, call: Callable[[], Any]) -> Any:
        """Run a native call that can't be interrupted, while the job still answers cancel and pause.

        The call runs in a thread. On cancel or pause the worker process ends without waiting for it.
        """

    def secret(self, name: str) -> str | None:
        """A secret such as `hf-token` from the environment or the keyring; never write it anywhere."""

    def reserve(self, path: Path, size_bytes: int) -> None:
        """Make sure that `size_bytes` are free where `path` lies.

        Raises:
            DiskFullError: They are not.
        """


def open_engine(options: LoadOptions, progress: Callable[[float], None] = lambda _fraction: None) -> Engine:
    """Load a model in this process, to generate with it; close it when done.

    Args:
        options: What and how; `LoadOptions(path=str(model.path), format=model.facts.format)` at least.
        progress: Called with 0 to 1 while weights are read.

    Raises:
        WorkbenchError: It can't be loaded; see `workbench.engines.load.open_engine`.
    """
    from workbench.engines.load import open_engine as load

    return load(options, progress)


def general_text() -> str:
    """Text of several kinds that ships with Tenfold, to see how far a change moved a model: about 12 kB."""
    from workbench.assets import GENERAL_TEXT

    return GENERAL_TEXT.read_text(encoding="utf-8")


def calibration_text() -> str:
    """Text of many kinds that ships with Tenfold, to fit a quantization on: about 30 kB.

    Nothing is measured on it that a person is told: proofs use other text.
    """
    from workbench.assets import CALIBRATION_TEXT

    return CALIBRATION_TEXT.read_text(encoding="utf-8")


def general_items() -> tuple[Question, ...]:
    """Questions of general knowledge that ship with Tenfold, to see what a change made a model forget."""
    from workbench.assets import GENERAL_ITEMS
    from workbench.measure.questions import read_questions

    return read_questions(GENERAL_ITEMS)


def prove(request: ProofRequest, *, cache: Path, report: Report) -> Card:
    """Measure a model beside its reference; see `workbench.measure.proving.prove`.

    Args:
        cache: `job.cache`.
        report: The job.
    """
    from workbench.measure.proving import prove as measure

    return measure(request, cache=cache, report=report)


Run = Callable[..., Path]
_F = TypeVar("_F", bound=Callable[..., Path])


class Operation(BaseModel):
    """What a plugin offers: a name, typed parameters, where it applies, and the function that runs it."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    name: str
    title: str
    group: str
    summary: str
    documentation: str
    input: ModelFormat | Literal["any"] | None
    output: ModelFormat | Literal["any"] | None
    needs: Needs
    backend: Backend
    applies: tuple[Condition, ...]
    advised: tuple[Condition, ...]
    before: tuple[str, ...]
    after: tuple[str, ...]
    excludes: tuple[str, ...]
    lossless: bool
    label: str
    origin: str
    resumable: bool
    restarts: bool
    requires: tuple[str, ...]
    api_version: str
    params: type[Params]
    run: Run

    @property
    def fields(self) -> tuple[FieldSpec, ...]:
        return fields_of(self.params)


def operation(
    name: str,
    *,
    title: str,
    group: str,
    input: ModelFormat | Literal["any"] | None,
    output: ModelFormat | Literal["any"] | None,
    needs: Needs = "cpu",
    backend: Backend = "",
    applies: tuple[Condition, ...] = (),
    advised: tuple[Condition, ...] = (),
    before: tuple[str, ...] = (),
    after: tuple[str, ...] = (),
    excludes: tuple[str, ...] = (),
    lossless: bool = False,
    label: str = "",
    origin: str = "",
    resumable: bool = False,
    restarts: bool = False,
    requires: tuple[str, ...] = (),
) -> Callable[[_F], _F]:
    """Declare a function as an operation.

    The function takes `(job: JobContext, model: Model, params: YourParams)`, or `(job, params)` where
    `input` is None, and returns the path it made below `job.out`. Its docstring is the documentation.

    Args:
        name: The name on the command line, lower case with dashes.
        title: What the window calls it: a verb and its object.
        group: The heading it stands under, for example `Quantize`, `Convert`, `Prune`.
        input: The model format that it takes; `any` for every one; None for one that makes a model from
            nothing.
        output: The model format that it makes; `any` where the input decides; None where it makes no model.
        needs: The slot that it takes up.
        backend: The extra of Tenfold that must be installed.
        applies: Conditions on the model's facts; each says why it is not met.
        advised: Conditions that are not needed but better met; each says what to think of otherwise.
        before: Operations that this one must come before in a recipe.
        after: Operations that this one must come after.
        excludes: Operations that can't stand in one recipe with this one.
        lossless: A claim that the result generates identical tokens; the host verifies it.
        label: How the result is named after its parent: a format string over the parameters,
            for example `{type}`; the operation's name where empty.
        origin: Where the result comes from, beside its parent: a format string over the parameters, for
            example `hf:{repo}`; a file is called by its name.
        resumable: Whether it can go on after it was interrupted or paused, with the same result in the end.
        restarts: Whether going on means beginning anew, because its backend can't be left in between; false
            where it goes on from `job.checkpoints`.
        requires: Requirements (PEP 508) that may differ from what Tenfold itself has, for example
            `("tokenizers==0.19.1",)`. Its jobs then run in an environment of their own, made once and kept.

    Raises:
        PluginError: The function's signature or a parameter's type is not one that can be offered.
    """

    def declare(function: _F) -> _F:
        documentation = inspect.getdoc(function) or ""
        if not documentation:
            raise PluginError(f"The operation {name} has no docstring.", remedy="Say what it does in one.")
        function.__tenfold_operation__ = Operation(  # type: ignore[attr-defined]
            name=name,
            title=title,
            group=group,
            summary=documentation.splitlines()[0],
            documentation=documentation,
            input=input,
            output=output,
            needs=needs,
            backend=backend,
            applies=applies,
            advised=advised,
            before=before,
            after=after,
            excludes=excludes,
            lossless=lossless,
            label=label,
            origin=origin,
            resumable=resumable,
            restarts=restarts,
            requires=requires,
            api_version=API_VERSION,
            params=_params_type(function, name, takes_model=input is not None),
            run=function,
        )
        return function

    return declare


def operations_in(namespace: Mapping[str, Any]) -> list[Operation]:
    """The operations that a module's namespace declares, in order."""
    found = (getattr(value, "__tenfold_operation__", None) for value in namespace.values())
    return [each for each in found if isinstance(each, Operation)]


def _params_type(function: Callable[..., Any], name: str, *, takes_model: bool) -> type[Params]:
    hints = get_type_hints(function)
    expected = ["job", "model", "params"] if takes_model else ["job", "params"]
    if list(inspect.signature(function).parameters) != expected:
        raise PluginError(f"The operation {name} must take ({', '.join(expected)}).")
    params = hints.get("params")
    if not (isinstance(params, type) and issubclass(params, Params)):
        raise PluginError(f"The operation {name} must annotate params with a subclass of Params.")
    fields_of(params)
    return params
