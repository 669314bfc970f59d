"""What a proof says of the figures of plugins: measured of both models, one after the other."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from workbench import __version__
from workbench.errors import UsageError
from workbench.jobs.loading import offered_folders
from workbench.measure.card import Metric
from workbench.measure.card_lines import metric_sentence
from workbench.measure.measured import Measured
from workbench.measure.metric_source import source_hash
from workbench.measure.metric_wire import Declared, Order
from workbench.measure.metrics import MeasuredMetric, MetricError, measure_metric
from workbench.measure.proof_parity import compared_options
from workbench.measure.proof_request import ProofRequest
from workbench.measure.speed import Progress
from workbench.measure.stages import Report
from workbench.offered import Offered

#: Measures a part of a proof, or knows it from before: kind, stage, basis, type, and what measures it.
Part = Callable[
    [str, str, dict[str, Any], type[MeasuredMetric], Callable[[Progress], MeasuredMetric]], MeasuredMetric
]

#: A card is no place for a traceback.
_MOST_PROBLEM = 200
#: In so many steps the progress of a metric is told.
_STEPS = 1000


def stages_of(request: ProofRequest) -> list[str]:
    """The stages that the metrics of a proof take, in their order."""
    return [_stage(text, request, model) for text in request.metrics for model in _models(request)]


def measure_metrics(
    request: ProofRequest, prompts: Sequence[str], text: str, *, part: Part, report: Report
) -> tuple[Metric, ...]:
    """Measure each metric of a request; what one can't do is said in the log and on the card.

    Args:
        prompts, text: What metrics may ask the models.
        part: Measures a part, or knows it from before.
    """
    found = []
    for named in dict.fromkeys(request.metrics):
        metric = _Measuring(request, named, tuple(prompts), text, part).both()
        report.log(metric_sentence(metric))
        found.append(metric)
    return tuple(found)


class _Measuring:
    """One metric on its way through both models."""

    def __init__(
        self, request: ProofRequest, named: str, prompts: tuple[str, ...], text: str, part: Part
    ) -> None:
        self._request = request
        self._named = named
        self._prompts = prompts
        self._text = text
        self._part = part
        self._folders = offered_folders()
        self._made = Metric(name=named, title=named)

    def both(self) -> Metric:
        try:
            plugin, name = Offered.read(self._named)
        except UsageError as error:
            return replace(self._made, problem=error.message)
        sha256 = source_hash(plugin, self._folders)
        self._made = Metric(name=name, title=name, plugin=plugin, sha256=sha256)
        for place, model in enumerate(_models(self._request)):
            try:
                found = self._of(model)
            except MetricError as error:
                # The whole of it belongs into the job's log, where the plugin's author looks.
                sys.stderr.write(f"{error.details.rstrip()}\n" if error.details else "")
                return replace(self._made, problem=_short(error.message))
            self._declare(found.declared)
            self._made = replace(self._made, **{("figure", "reference")[place]: found.figure})
        return self._made

    def _declare(self, said: Declared) -> None:
        self._made = replace(self._made, title=said.title, unit=said.unit, better=said.better)

    def _of(self, model: Measured) -> MeasuredMetric:
        asked, metric = self._request, self._made
        order = Order(
            plugin=metric.plugin,
            name=metric.name,
            folders=tuple(str(each) for each in self._folders),
            options=compared_options(model, asked.threads),
            prompts=self._prompts,
            text=self._text,
            seed=asked.seed,
            threads=asked.threads,
        )

        def measure(progress: Progress) -> MeasuredMetric:
            return measure_metric(
                order, lambda share: progress(round(_STEPS * share), _STEPS), declared=self._declare
            )

        basis = {
            "metric": [metric.plugin, metric.name, metric.sha256, __version__],
            "model": model.subject.sha256,
            "engine": model.engine(),
            "asked": hashlib.sha256(msgspec.json.encode([self._prompts, self._text])).hexdigest(),
            "seed": asked.seed,
        }
        return self._part("metric", _stage(self._named, asked, model), basis, MeasuredMetric, measure)


def _models(request: ProofRequest) -> list[Measured]:
    return [request.candidate, *([request.reference] if request.reference is not None else [])]


def _stage(named: str, request: ProofRequest, model: Measured) -> str:
    name = named.rpartition(":")[2]
    return name if model is request.candidate else f"{name} of the reference"


def _short(problem: str) -> str:
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in problem).split())
    return line if len(line) <= _MOST_PROBLEM else f"{line[:_MOST_PROBLEM]}…"
