"""What a proof says of template, tokens and predictions, and which step broke them where one did."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

from workbench.engines.base import Engine
from workbench.engines.load import open_engine
from workbench.engines.request import LoadOptions
from workbench.measure.card import ParityCheck
from workbench.measure.measured import Measured
from workbench.measure.parity import Progress, Step, check_chain, check_step
from workbench.measure.parity_limits import WHOLE_BITS, rounded_bits
from workbench.measure.proof_request import ProofRequest
from workbench.model import Model

#: Longest sequence of a comparison, in tokens: a window, a question, or a prompt with its answer.
_CONTEXT = 2048


def opened(model: Measured, threads: int) -> Engine:
    """A model loaded to be compared with another."""
    return open_engine(compared_options(model, threads))


def compared_options(model: Measured, threads: int) -> LoadOptions:
    """How a model is loaded that is compared with another."""
    context = min(model.facts.context_length or _CONTEXT, _CONTEXT)
    return model.options(parallel=4, context=context, threads=threads)


def parity_of(
    request: ProofRequest, reference: Engine, candidate: Engine, *, progress: Progress
) -> tuple[ParityCheck, ...]:
    """Check that what led from one model to the other left texts, tokens and predictions what they were.

    Where a check fails and the models between both are known, the first step that fails is looked for, and
    what is returned are its checks.

    Args:
        reference, candidate: The request's models, loaded.

    Raises:
        WorkbenchError: A model can't be loaded or computed.
    """
    step = _step(request, request.candidate, request.stage, merged_into=_merged_into(request))
    checks = check_step(reference, candidate, step, progress=progress)
    if request.between and _failed(checks):
        return _broken_by(request) or checks
    return checks


def _broken_by(request: ProofRequest) -> tuple[ParityCheck, ...]:
    """The checks of the step that broke the model; nothing where each step by itself is in order."""
    models = [*request.between, request.candidate]
    if request.reference is not None:
        models.insert(0, request.reference)
    steps = [
        _step(request, made, f"{made.subject.name} from {before.subject.name}")
        for before, made in pairwise(models)
    ]
    checks = check_chain([partial(opened, each, request.threads) for each in models], steps)
    return checks if _failed(checks) else ()


def _step(request: ProofRequest, made: Measured, stage: str, merged_into: Model | None = None) -> Step:
    whole = made.subject.bits_per_weight >= WHOLE_BITS
    return Step(
        stage=stage,
        same_type=whole,
        bits=None if whole else rounded_bits(made.facts),
        retrained=request.retrained,
        merged_into=merged_into,
    )


def _merged_into(request: ProofRequest) -> Model | None:
    base = request.reference
    if base is None or not request.merged:
        return None
    return Model(path=base.path, name=base.subject.name, sha256=base.subject.sha256, facts=base.facts)


def _failed(checks: tuple[ParityCheck, ...]) -> bool:
    return any(each.result == "failed" for each in checks)
