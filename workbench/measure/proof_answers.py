"""What the models of a proof answer; kept for each by itself, so that proofs of one reference share it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from workbench.measure.answers import Answer, Known, remembering
from workbench.measure.card import Example, Identity, Task
from workbench.measure.examples import most_different
from workbench.measure.identity import measure_identity
from workbench.measure.kept import Kept
from workbench.measure.measured import Measured
from workbench.measure.proof_pair import Pair
from workbench.measure.speed import Progress
from workbench.measure.tasks import TaskSet, answers, compared


class Answers(Struct, frozen=True, kw_only=True):
    """What comparing two models' answers showed."""

    identity: Identity
    examples: tuple[Example, ...]

    def parts(self) -> dict[str, Any]:
        """As fields of a card."""
        return {"identity": self.identity, "examples": self.examples}


def tasks_of(pair: Pair, sets: Sequence[TaskSet], kept: Kept, progress: Progress) -> tuple[Task, ...]:
    """Ask both models sets of questions.

    Raises:
        WorkbenchError: A model can't be loaded, or can't answer.
    """
    progress(0, 2)
    before, after = (_right(pair, place, sets, kept, _share_of(progress, place, 2)) for place in range(2))
    progress(2, 2)
    return tuple(map(compared, sets, before, after))


def compared_answers(
    pair: Pair,
    prompts: Sequence[str],
    examined: Sequence[str],
    tokens: int,
    kept: Kept,
    progress: Progress,
) -> Answers:
    """See whether greedy answers are the same, and where the models differ most.

    Args:
        prompts: Those of which the answers are compared.
        examined: Those among which the ones are looked for on which both differ most.
        tokens: The longest answer.

    Raises:
        WorkbenchError: A model can't be loaded, or can't answer.
    """
    reference, candidate = pair.engines
    # Both parts ask the same models the same things.
    known: Known = {}
    bases = [{**_basis(each), "tokens": tokens} for each in pair.models]
    for engine, basis in zip(pair.engines, bases, strict=True):
        said = kept.get("said", basis, _Said)
        known |= {(id(engine), given, tokens): answer for given, answer in (said.answers if said else ())}
    ask = remembering(known)
    identity = measure_identity(
        reference, candidate, prompts, tokens, ask=ask, progress=_share_of(progress, 0, 2)
    )
    examples = most_different(
        reference, candidate, examined, tokens=tokens, ask=ask, progress=_share_of(progress, 1, 2)
    )
    for engine, basis in zip(pair.engines, bases, strict=True):
        told = tuple((given, answer) for (whose, given, _), answer in known.items() if whose == id(engine))
        kept.put("said", basis, _Said(answers=told))
    return Answers(identity=identity, examples=examples)


class _Right(Struct, frozen=True, kw_only=True):
    """Which questions of each set a model answered rightly."""

    sets: tuple[tuple[bool, ...], ...]


class _Said(Struct, frozen=True, kw_only=True):
    """A model's greedy answers, each with the tokens of its prompt."""

    answers: tuple[tuple[tuple[int, ...], Answer], ...]


def _right(
    pair: Pair, place: int, sets: Sequence[TaskSet], kept: Kept, progress: Progress
) -> tuple[tuple[bool, ...], ...]:
    """Which questions one of both models answers rightly."""
    basis = {**_basis(pair.models[place]), "sets": [[each.sha256, each.items] for each in sets]}
    found = kept.get("right", basis, _Right)
    if found is None:
        engine = pair.engines[place]
        right = [
            tuple(answers(engine, each, _share_of(progress, number, len(sets))))
            for number, each in enumerate(sets)
        ]
        found = _Right(sets=tuple(right))
        kept.put("right", basis, found)
    return found.sets


def _basis(model: Measured) -> dict[str, Any]:
    """What a model's answers rest on, whatever it is compared with."""
    return {"model": model.subject.sha256, "engine": model.engine()}


def _share_of(progress: Progress, place: int, parts: int) -> Progress:
    """The progress of one of several parts of the same length."""

    def told(done: int, total: int) -> None:
        progress(place * max(total, 1) + done, parts * max(total, 1))

    return told
