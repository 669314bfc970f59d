"""Measures a model beside its reference, part by part, and makes the card of it.

Parts that are known from before are taken from there, so a model is loaded only where something of it is not.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from workbench import __version__
from workbench.assets import EVALUATION_ITEMS, EVALUATION_TEXT
from workbench.engines.request import LoadOptions
from workbench.hardware import machine
from workbench.measure.bench import bench
from workbench.measure.card import (
    Card,
    Conditions,
    Form,
    Memory,
    Metric,
    ParityCheck,
    Quality,
    Speed,
)
from workbench.measure.grade import grade, headline
from workbench.measure.kept import Kept
from workbench.measure.limits import measured_limits
from workbench.measure.measured import Measured, machine_name
from workbench.measure.parity_prompts import Prompt, read_prompts
from workbench.measure.proof_answers import Answers, compared_answers, tasks_of
from workbench.measure.proof_metrics import measure_metrics, stages_of
from workbench.measure.proof_pair import Pair
from workbench.measure.proof_parity import parity_of
from workbench.measure.proof_request import ProofRequest
from workbench.measure.quality import measure_quality
from workbench.measure.quality_shards import spread_quality
from workbench.measure.speed import Progress, SpeedPlan
from workbench.measure.stages import Report, Stages
from workbench.measure.tasks import TaskSet, read_task
from workbench.measure.windows import WIDTH, windows_of_text

_T = TypeVar("_T")

#: What a card calls the text that ships with Tenfold.
OWN_TEXT = "Tenfold's own text"
#: The same for the questions.
OWN_ITEMS = "Tenfold's own questions"


class Depth(Struct, frozen=True, kw_only=True):
    """How much a form of the proof measures.

    Attributes:
        windows: Windows of the text; None for all of it.
        answers: Prompts that are answered to see whether the answers are the same.
        tokens: How long such an answer is.
        examples: Prompts among which those are looked for on which both differ most.
        metrics: Prompts that the metrics of plugins are given.
        questions: Of Tenfold's own; None for all.
    """

    windows: int | None
    answers: int
    tokens: int
    examples: int
    metrics: int
    questions: int | None


#: Quick takes about a minute for a model of 135 M weights on two cores; full takes all of the text.
DEPTHS: dict[Form, Depth] = {
    "quick": Depth(windows=4, answers=6, tokens=16, examples=6, metrics=12, questions=60),
    "full": Depth(windows=None, answers=32, tokens=64, examples=32, metrics=32, questions=None),
}

#: The parts in their order, and about how long each takes beside the others, for the progress.
_SHARES = {
    "speed": 10.0,
    "speed of the reference": 10.0,
    "text": 16.0,
    "questions": 14.0,
    "template and tokens": 22.0,
    "answers": 10.0,
}
#: The same of one metric of a plugin and one model.
_METRIC_SHARE = 8.0


def prove(request: ProofRequest, *, cache: Path, report: Report) -> Card:
    """Measure what the request asks for.

    Args:
        cache: A folder for what later proofs can use.
        report: Hears of the progress; what it raises ends the measurement, and what was measured stays known.

    Raises:
        WorkbenchError: A model can't be loaded, or the two can't be compared.
    """
    return _Proof(request, cache, report).card()


class _Proof:
    """One measurement on its way."""

    def __init__(self, request: ProofRequest, cache: Path, report: Report) -> None:
        self._request = request
        self._depth = DEPTHS[request.form]
        self._kept = Kept(cache / "proofs", forgotten=request.again)
        self._limits = measured_limits(cache, request.threads) if request.speed else None
        self._text = request.text if request.text is not None else own_text()
        self._report = report
        shares = dict(_SHARES) if request.reference is not None else {"speed": _SHARES["speed"]}
        self._stages = Stages(report, shares | dict.fromkeys(stages_of(request), _METRIC_SHARE))

    def card(self) -> Card:
        """Measure everything and sum it up."""
        asked = self._request
        alone = self._alone(asked.candidate, "speed")
        card = Card(
            subject=asked.candidate.subject,
            conditions=self._conditions(),
            speed=alone.speed if alone is not None else None,
            memory=alone.memory if alone is not None else None,
        )
        if asked.reference is not None:
            card = self._beside(card, asked.reference)
        card = replace(card, metrics=self._metrics())
        card = replace(card, grade=grade(card))
        return replace(card, headline=headline(card))

    def _alone(self, model: Measured, stage: str) -> _Alone | None:
        """What a model does by itself; None where that is not asked for."""
        if not self._request.speed:
            return None
        plan = SpeedPlan.of(self._request.form, seed=self._request.seed)
        options = LoadOptions(path=str(model.path), format=model.facts.format, threads=self._request.threads)

        def measure(progress: Progress) -> _Alone:
            found = bench(options, plan, self._limits, progress)
            return _Alone(speed=found.speed, memory=found.memory)

        basis = {
            "model": model.subject.sha256,
            "engine": model.engine(),
            "machine": machine_name(machine()),
            "threads": self._request.threads,
            "plan": msgspec.to_builtins(plan),
        }
        return self._part("speed", stage, basis, _Alone, measure)

    def _beside(self, card: Card, reference: Measured) -> Card:
        """The card with what comes of comparing both."""
        alone = self._alone(reference, "speed of the reference")
        asked, depth = self._request, self._depth
        sets = [_own_items(depth.questions), *(read_task(each) for each in asked.tasks)]
        windows = asked.windows or depth.windows
        both = {
            "reference": reference.subject.sha256,
            "candidate": asked.candidate.subject.sha256,
            "engines": [reference.engine(), asked.candidate.engine()],
        }
        text = {**both, "text": sha256_of(self._text), "windows": windows, "width": WIDTH}
        answered = {**both, "depth": msgspec.to_builtins(depth)}
        parity = {**both, "stage": asked.stage, "retrained": asked.retrained, "merged": asked.merged}
        parity |= {"between": [each.subject.sha256 for each in asked.between]} if asked.between else {}
        pair = Pair(reference, asked.candidate, asked.threads)
        with closing(pair):
            return replace(
                card,
                reference=reference.subject,
                retrained=asked.retrained,
                reference_speed=alone.speed if alone is not None else None,
                reference_memory=alone.memory if alone is not None else None,
                quality=self._part("quality", "text", text, Quality, self._quality(pair, windows)),
                tasks=tasks_of(pair, sets, self._kept, self._stages.of("questions")),
                parity=self._part(
                    "parity", "template and tokens", parity, _Parity, self._parity(pair)
                ).checks,
                **self._part("answers", "answers", answered, Answers, self._answers(pair)).parts(),
            )

    def _metrics(self) -> tuple[Metric, ...]:
        """The figures of plugins; each loads the models anew, in a process of its own."""
        prompts = _said_by_a_person()[: self._depth.metrics]
        return measure_metrics(self._request, prompts, self._text, part=self._part, report=self._report)

    def _part(
        self, kind: str, stage: str, basis: dict[str, Any], type: type[_T], measure: Callable[[Progress], _T]
    ) -> _T:
        """What is known of a part from before, else what is measured now."""
        progress = self._stages.of(stage)
        progress(0, 1)
        found = self._kept.get(kind, basis, type)
        if found is None:
            found = measure(progress)
            self._kept.put(kind, basis, found)
        progress(1, 1)
        return found

    def _quality(self, pair: Pair, most: int | None) -> Callable[[Progress], Quality]:
        def measure(progress: Progress) -> Quality:
            reference, candidate = pair.engines
            windows = windows_of_text(reference.tokenizer, self._text, WIDTH, most)
            if self._request.workers > 1:
                return spread_quality(
                    pair.models, windows, self._request.workers, self._request.threads, progress
                )
            return measure_quality(
                reference, candidate, windows, threads=self._request.threads, progress=progress
            )

        return measure

    def _parity(self, pair: Pair) -> Callable[[Progress], _Parity]:
        def measure(progress: Progress) -> _Parity:
            return _Parity(checks=parity_of(self._request, *pair.engines, progress=progress))

        return measure

    def _answers(self, pair: Pair) -> Callable[[Progress], Answers]:
        depth, prompts = self._depth, _said_by_a_person()

        def measure(progress: Progress) -> Answers:
            return compared_answers(
                pair,
                prompts[: depth.answers],
                prompts[: depth.examples],
                depth.tokens,
                self._kept,
                progress,
            )

        return measure

    def _conditions(self) -> Conditions:
        asked, here = self._request, machine()
        return Conditions(
            made_at=time.time(),
            form=asked.form,
            machine=machine_name(here),
            system=here.os,
            threads=asked.threads,
            engine=asked.candidate.engine(),
            reference_engine=asked.reference.engine() if asked.reference is not None else "",
            tenfold=__version__,
            seed=asked.seed,
            text=(asked.text_name or OWN_TEXT) if asked.reference is not None else "",
            text_sha256=sha256_of(self._text) if asked.reference is not None else "",
            bandwidth=self._limits.bandwidth if self._limits is not None else 0.0,
            arithmetic=self._limits.arithmetic if self._limits is not None else 0.0,
        )


def own_text() -> str:
    """The text that ships with Tenfold, of many kinds and languages: about 60 kB."""
    return EVALUATION_TEXT.read_text(encoding="utf-8")


def _own_items(most: int | None) -> TaskSet:
    """The questions that ship with Tenfold, or about so many of them, evenly spaced."""
    found = read_task(EVALUATION_ITEMS, OWN_ITEMS)
    if most is None or most >= len(found.questions):
        return found
    step = -(-len(found.questions) // most)
    return replace(found, questions=found.questions[::step])


def sha256_of(text: str) -> str:
    """The hash by which a card names its text."""
    return hashlib.sha256(text.encode()).hexdigest()


def _said_by_a_person() -> list[str]:
    """The fixed prompts that are one thing a person says, each as text."""
    return [each.messages[0].content for each in read_prompts() if _is_plain(each)]


def _is_plain(prompt: Prompt) -> bool:
    """Whether a prompt is one thing that a person says."""
    return len(prompt.messages) == 1 and prompt.messages[0].role == "user" and not prompt.tools


class _Alone(Struct, frozen=True, kw_only=True):
    speed: Speed
    memory: Memory


class _Parity(Struct, frozen=True, kw_only=True):
    checks: tuple[ParityCheck, ...]
