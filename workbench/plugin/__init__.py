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

from workbench.cluster.session import ray_session, threads_of_worker
from workbench.cluster.shards import spread
from workbench.conditions import Condition, fact, setting
from workbench.data.batches import Batch, epoch_batches
from workbench.data.batches import Plan as BatchPlan
from workbench.data.collate import IGNORED, Arrays, collate
from workbench.data.errors import BadRowError, DataError
from workbench.data.layout import mapped as data_layout
from workbench.data.plain import plain_text
from workbench.data.plugin_reader import data_readers, use_data_readers
from workbench.data.sides import Side, SideChoices, Sides, open_sides, side_of
from workbench.data.texts import PromptTexts
from workbench.data.token_set import TokenSet
from workbench.data.tokenizing import Recipe, token_set
from workbench.engines.base import Engine, Tokenizer
from workbench.engines.request import Constraint, LoadOptions, Message, Request, Sampling
from workbench.engines.speculation import Drafter
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
from workbench.jobs.ranks import folder_of_leader as launch_folder
from workbench.measure.card import Card
from workbench.measure.card import encode as encode_card
from workbench.measure.divergence import Distance, Divergence
from workbench.measure.exact_match import exact_match, may_become
from workbench.measure.measured import Measured, measured_model
from workbench.measure.metric_context import Answered, MetricContext, MetricResult
from workbench.measure.paired import Paired, paired
from workbench.measure.proof_request import ProofRequest
from workbench.measure.questions import Question
from workbench.measure.verdict import forgotten, verdict
from workbench.measure.windows import windows_of
from workbench.model import Model, ModelFacts, ModelFormat, TensorGroup
from workbench.params import Choice, Param, Params, Search
from workbench.plugin.calls import calibration_text, general_items, general_text, open_engine, prove
from workbench.plugin.context import JobContext
from workbench.plugin.drafting import drafter
from workbench.plugin.measuring import metric
from workbench.plugin.operation import Backend, Needs, Operation, operation
from workbench.plugin.reading import reader
from workbench.plugin.training import OwnLoss, open_training_method, training_method
from workbench.plugin.version import API_VERSION
from workbench.tuning.selection import Selection, is_target, read_selection

__all__ = [
    "API_VERSION",
    "IGNORED",
    "Answered",
    "Arrays",
    "Backend",
    "BadRowError",
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
    "Drafter",
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
    "MetricContext",
    "MetricResult",
    "MissingExtraError",
    "Model",
    "ModelFacts",
    "ModelFileError",
    "ModelFormat",
    "Needs",
    "Operation",
    "OutOfMemoryError",
    "OwnLoss",
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
    "Tokenizer",
    "UnsafeModelError",
    "WorkbenchError",
    "calibration_text",
    "collate",
    "data_layout",
    "data_readers",
    "drafter",
    "encode_card",
    "epoch_batches",
    "exact_match",
    "fact",
    "forgotten",
    "general_items",
    "general_text",
    "is_target",
    "launch_folder",
    "may_become",
    "measured_model",
    "metric",
    "open_engine",
    "open_sides",
    "open_training_method",
    "operation",
    "paired",
    "peak_resident_bytes",
    "plain_text",
    "prove",
    "ray_session",
    "read_selection",
    "reader",
    "setting",
    "side_of",
    "spread",
    "threads_of_worker",
    "token_set",
    "training_method",
    "use_data_readers",
    "verdict",
    "windows_of",
]
