"""Picks the choice that suits a person's limits best, and says why it did and why it turned the others down.

A limit says what is enough; the best choice is the best in what was left open. In this order:

1. Whoever breaks a limit, or lacks the figure that a limit is about, is out.
2. Where neither the divergence nor the task loss was limited, the choice closest to the original is best
   (least mean KL divergence). Where one was, the fastest is: closer than close enough gains nothing.
3. Figures whose 95 % intervals meet are told apart by no measurement. Among those that can't be told from the
   leader, the other of the two figures decides; then the smaller memory, then the order given.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from workbench.measure.card import Card
from workbench.measure.intervals import Z_95

#: Writes a figure with so many digits.
_Words = Callable[..., str]
_UNITS = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


@dataclass(frozen=True, slots=True)
class Choice:
    """What there is to choose from; a figure that was not measured is None.

    Attributes:
        memory_bytes: The most that it takes in memory.
        decode: Tokens a second of one answer.
        decode_interval: The 95 % interval of that.
        mean_kld: From the original, in nats; 0 of the original itself.
        mean_kld_error: Its standard error.
        task_loss: The largest share of a task's items that were lost; below 0 where more are right.
    """

    name: str
    memory_bytes: int | None = None
    decode: float | None = None
    decode_interval: tuple[float, float] | None = None
    mean_kld: float | None = None
    mean_kld_error: float = 0.0
    task_loss: float | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """What a person wants; None where anything goes.

    Attributes:
        memory_bytes: The most memory.
        decode: The lowest speed of one answer, in tokens a second.
        mean_kld: The largest mean KL divergence, in nats.
        task_loss: The largest loss on a task, as a share of its items from 0 to 1.
    """

    memory_bytes: float | None = None
    decode: float | None = None
    mean_kld: float | None = None
    task_loss: float | None = None

    @property
    def limits_quality(self) -> bool:
        return self.mean_kld is not None or self.task_loss is not None


@dataclass(frozen=True, slots=True)
class Rejected:
    """What was not picked.

    Attributes:
        place: Its place among the choices.
        qualifies: Whether it keeps all limits and another was better.
        reasons: A sentence each, with the figure and the limit.
    """

    place: int
    qualifies: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pick:
    """The answer.

    Attributes:
        best: Its place among the choices; None where nothing qualifies.
        reasons: Why it is the best, a sentence each.
        rejected: All others; those that qualify first, each kind in the order given.
    """

    best: int | None
    reasons: tuple[str, ...]
    rejected: tuple[Rejected, ...]


def choice_of(card: Card, *, name: str = "", is_reference: bool = False) -> Choice:
    """What a card says of its model as a choice.

    Args:
        name: What the person calls it; the card's own name where not given.
        is_reference: Whether the model is the original that the others are compared with.
    """
    decode = card.speed.alone if card.speed is not None else None
    quality = card.quality
    losses = [(task.only_before - task.only_after) / task.items for task in card.tasks if task.items]
    return Choice(
        name=name or card.subject.name,
        memory_bytes=card.memory.peak if card.memory is not None else None,
        decode=decode.tokens_per_s if decode is not None else None,
        decode_interval=(decode.low, decode.high) if decode is not None else None,
        mean_kld=0.0 if is_reference else quality.mean_kld if quality is not None else None,
        mean_kld_error=quality.mean_kld_error if quality is not None and not is_reference else 0.0,
        task_loss=0.0 if is_reference else max(losses, default=None),
    )


def pick(choices: Sequence[Choice], limits: Limits) -> Pick:
    """The best choice within the limits, by the order that the module describes."""
    broken = [_broken(choice, limits) for choice in choices]
    able = [place for place, reasons in enumerate(broken) if not reasons]
    first, second = (_SPEED, _CLOSENESS) if limits.limits_quality else (_CLOSENESS, _SPEED)
    best = _best(choices, able, first, second)
    rejected = []
    if best is not None:
        rejected += [
            Rejected(place, True, (_beaten(choices[place], choices[best], first, second),))
            for place in able
            if place != best
        ]
    rejected += [Rejected(place, False, reasons) for place, reasons in enumerate(broken) if reasons]
    reasons = () if best is None else _praise(choices, able, best, limits, first, second)
    return Pick(best, reasons, tuple(rejected))


# ------------------------------------------------------------------ limits


def _broken(choice: Choice, limits: Limits) -> tuple[str, ...]:
    """Why a choice is out, a sentence for each limit that it breaks."""
    checks: tuple[tuple[str, float | None, float | None, _Words, bool], ...] = (
        ("memory", choice.memory_bytes, limits.memory_bytes, _bytes, False),
        ("speed", choice.decode, limits.decode, _rate, True),
        ("mean KL divergence", choice.mean_kld, limits.mean_kld, _plain, False),
        ("loss on a task", choice.task_loss, limits.task_loss, _share, False),
    )
    reasons = []
    for what, figure, limit, words, at_least in checks:
        if limit is None:
            continue
        bound = "at least" if at_least else "at most"
        if figure is None:
            reasons.append(f"Its {what} was not measured; it has to be {bound} {words(limit)}.")
        elif (figure < limit) if at_least else (figure > limit):
            told, limit_told = _told_apart(words, figure, limit)
            reasons.append(f"Its {what} is {told}; it has to be {bound} {limit_told}.")
    return tuple(reasons)


def _kept(choice: Choice, limits: Limits) -> list[str]:
    """That a choice keeps the limits, with its figures."""
    sentences = []
    if limits.memory_bytes is not None and choice.memory_bytes is not None:
        sentences.append(
            f"It takes {_bytes(choice.memory_bytes)} of the {_bytes(limits.memory_bytes)} allowed."
        )
    if limits.decode is not None and choice.decode is not None:
        sentences.append(f"It writes {_rate(choice.decode)}; at least {_rate(limits.decode)} is wanted.")
    if limits.mean_kld is not None and choice.mean_kld is not None:
        told, most = _plain(choice.mean_kld), _plain(limits.mean_kld)
        sentences.append(f"Its mean KL divergence is {told}; at most {most} is allowed.")
    if limits.task_loss is not None and choice.task_loss is not None:
        told, most = _share(choice.task_loss), _share(limits.task_loss)
        sentences.append(f"Its loss on a task is {told}; at most {most} is allowed.")
    return sentences


# ------------------------------------------------------------------ what is best


@dataclass(frozen=True, slots=True)
class _Aim:
    """Something to be good at; costs are smaller where a choice is better.

    Attributes:
        interval: The 95 % interval of a choice's cost; None where it was not measured.
    """

    better: str
    best: str
    words: Callable[[Choice], str]
    interval: Callable[[Choice], tuple[float, float] | None]
    cost: Callable[[Choice], float]


def _speed_interval(choice: Choice) -> tuple[float, float] | None:
    if choice.decode is None:
        return None
    low, high = choice.decode_interval or (choice.decode, choice.decode)
    return -high, -low


def _closeness_interval(choice: Choice) -> tuple[float, float] | None:
    if choice.mean_kld is None:
        return None
    half = Z_95 * choice.mean_kld_error
    return choice.mean_kld - half, choice.mean_kld + half


_SPEED = _Aim(
    "faster",
    "the fastest",
    lambda choice: _rate(choice.decode) if choice.decode is not None else "not measured",
    _speed_interval,
    lambda choice: -choice.decode if choice.decode is not None else float("inf"),
)
_CLOSENESS = _Aim(
    "closer to the original",
    "the closest to the original",
    lambda choice: f"KL {_plain(choice.mean_kld)}" if choice.mean_kld is not None else "not measured",
    _closeness_interval,
    lambda choice: choice.mean_kld if choice.mean_kld is not None else float("inf"),
)


def _best(choices: Sequence[Choice], able: Sequence[int], first: _Aim, second: _Aim) -> int | None:
    if not able:
        return None
    leader = min(able, key=lambda place: (first.cost(choices[place]), place))
    level = [place for place in able if _same(choices[place], choices[leader], first)]
    foremost = min(level, key=lambda place: (second.cost(choices[place]), place))
    level = [place for place in level if _same(choices[place], choices[foremost], second)]
    return min(level, key=lambda place: (_memory(choices[place]), place))


def _same(one: Choice, other: Choice, aim: _Aim) -> bool:
    """Whether no measurement tells two apart: their intervals meet, or neither was measured."""
    a, b = aim.interval(one), aim.interval(other)
    if a is None or b is None:
        return a is b
    return a[0] <= b[1] and b[0] <= a[1]


def _memory(choice: Choice) -> float:
    return choice.memory_bytes if choice.memory_bytes is not None else float("inf")


# ------------------------------------------------------------------ words


def _praise(
    choices: Sequence[Choice], able: Sequence[int], best: int, limits: Limits, first: _Aim, second: _Aim
) -> tuple[str, ...]:
    chosen = choices[best]
    sentences = _kept(chosen, limits)
    level = [place for place in able if place != best and _same(choices[place], chosen, first)]
    if len(able) == 1:
        sentences.append(
            "Nothing else keeps all limits." if len(choices) > 1 else "There is no other choice."
        )
    elif level:
        others = ", ".join(choices[place].name for place in level)
        sentences.append(
            f"Its figure for being {first.best} ({first.words(chosen)}) can’t be told from that of {others};"
            f" what decides is {second.words(chosen)}."
        )
    else:
        sentences.append(f"It is {first.best} of the {len(able)} that qualify: {first.words(chosen)}.")
    return tuple(sentences)


def _beaten(choice: Choice, best: Choice, first: _Aim, second: _Aim) -> str:
    for aim in (first, second):
        if not _same(choice, best, aim):
            return (
                f"It qualifies; {best.name} is {aim.better}: {aim.words(best)}, this one {aim.words(choice)}."
            )
    if _memory(best) < _memory(choice):
        memory = _bytes(choice.memory_bytes) if choice.memory_bytes is not None else "an unknown amount"
        return f"It qualifies; {best.name} takes less memory: {_bytes(_memory(best))}, this one {memory}."
    return f"It qualifies; no figure tells it from {best.name}."


def _told_apart(words: _Words, figure: float, limit: float) -> tuple[str, str]:
    """Both in as many digits as it takes that they read differently: 0.1004 is above 0.1, not 0.1."""
    for digits in range(3, 12):
        told = words(figure, digits), words(limit, digits)
        if told[0] != told[1]:
            break
    return told


def _bytes(size: float, digits: int = 3) -> str:
    # What would be rounded up to 1000 belongs to the next unit.
    factor, unit = next((each for each in _UNITS if abs(size) >= each[0] * 0.9995), (1.0, "bytes"))
    return f"{_plain(size / factor, digits)} {unit}"


def _rate(speed: float, digits: int = 3) -> str:
    return f"{_plain(speed, digits)} tok/s"


def _share(share: float, digits: int = 3) -> str:
    return f"{_plain(share * 100, digits)} %"


def _plain(figure: float, digits: int = 3) -> str:
    """So many digits, and never an exponent for what a person counts."""
    return f"{figure:.{digits}g}" if abs(figure) < 999.5 else f"{round(figure)}"
