"""What a sweep varies: lists and ranges of parameters, and each trial's values as a function of a seed."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from workbench.errors import ParameterError, UsageError
from workbench.params import FieldSpec, Search, validate

#: Most trials of one sweep: more than a person looks through, and each has a folder.
MOST_TRIALS = 10_000


class Dimension(Struct, frozen=True, kw_only=True):
    """One parameter that is varied.

    Attributes:
        name: The parameter; of a later step of a recipe `OPERATION.parameter`.
        values: The values that are tried; empty for a range.
        low, high: The ends of a range, both included.
        log: Whether the range is drawn from on a logarithmic scale.
        whole: Whether its numbers are whole.
    """

    name: str
    values: tuple[Any, ...] = ()
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    whole: bool = False

    def draw(self, source: random.Random) -> Any:
        """A value by chance."""
        if self.values:
            return source.choice(self.values)
        if self.log:
            found = math.exp(source.uniform(math.log(self.low), math.log(self.high)))
        else:
            found = source.uniform(self.low, self.high)
        # Three digits are all that a search can tell apart, and what a person can read.
        found = min(self.high, max(self.low, float(f"{found:.3g}")))
        return round(found) if self.whole else found


#: The fields of a recipe's operations, by the operation's name; the first is what the sweep begins with.
Fields = Mapping[str, tuple[FieldSpec, ...]]


def read_dimension(text: str, fields: Fields) -> Dimension:
    """What `--vary` says: `rank=4,8,16`, `learning_rate=log:1e-5:1e-3`, `dropout=lin:0:0.3`, or a name alone.

    A name alone takes the range that the operation itself names as worth searching.

    Raises:
        ParameterError: There is no such parameter, or a value is wrong.
        UsageError: The range makes no sense.
    """
    name, sign, said = (part.strip() for part in text.partition("="))
    operation, field = _field(name.replace("-", "_") if "." not in name else name, fields)
    named = field.name if operation == next(iter(fields)) else f"{operation}.{field.name}"
    search = _read_search(field, said) if sign else field.search
    if search is None:
        raise UsageError(f"What should {name} be?", remedy=f"Say {name}=A,B,C or {name}=log:LOW:HIGH.")
    checked = [_checked(field, each) for each in (search.values or (search.low, search.high))]
    if search.values:
        return Dimension(name=named, values=tuple(dict.fromkeys(checked)))
    low, high = float(checked[0]), float(checked[1])
    if not low < high or (search.log and low <= 0):
        raise UsageError(f"A range goes from low to high, and above 0 on a logarithmic scale: {text}.")
    return Dimension(name=named, low=low, high=high, log=search.log, whole=field.kind == "int")


def trials(dimensions: Sequence[Dimension], samples: int, seed: int) -> list[dict[str, Any]]:
    """The values of each trial: all combinations of lists, or so many drawn by chance, none twice.

    >>> trials([Dimension(name="a", values=(1, 2)), Dimension(name="b", values=("x",))], 0, 0)
    [{'a': 1, 'b': 'x'}, {'a': 2, 'b': 'x'}]

    Raises:
        UsageError: There is nothing to vary, a range has no number of samples, or there are too many.
    """
    if not dimensions:
        raise UsageError("A sweep varies something.", remedy="Name it with --vary.")
    lists = all(each.values for each in dimensions)
    if not lists and not samples:
        raise UsageError("A range can be drawn from without end.", remedy="Say how often with --samples.")
    size = math.prod(len(each.values) for each in dimensions) if lists else math.inf
    if max(samples, 0 if samples else size) > MOST_TRIALS:
        raise UsageError(f"A sweep has at most {MOST_TRIALS} trials.", remedy="Draw some with --samples.")
    if lists and (not samples or samples >= size):
        rows = itertools.product(*(each.values for each in dimensions))
        return [dict(zip((each.name for each in dimensions), row, strict=True)) for row in rows]
    source = random.Random(seed)  # noqa: S311 - a draw that has to be repeatable
    found: list[dict[str, Any]] = []
    # Short ranges of whole numbers run out; a bounded number of draws is enough for all others.
    for _ in range(20 * samples):
        if len(found) == samples:
            break
        drawn = {each.name: each.draw(source) for each in dimensions}
        if drawn not in found:
            found.append(drawn)
    return found


def _field(name: str, fields: Fields) -> tuple[str, FieldSpec]:
    operation, dot, parameter = name.rpartition(".")
    operation = operation if dot else next(iter(fields))
    if operation not in fields:
        known = ", ".join(fields)
        raise ParameterError(name, f"{operation} is no step of this sweep.", remedy=f"Steps: {known}.")
    for each in fields[operation]:
        if each.name == parameter.replace("-", "_"):
            return operation, each
    known = ", ".join(each.name for each in fields[operation])
    raise ParameterError(name, f"{operation} has no parameter “{parameter}”.", remedy=f"Parameters: {known}.")


def _read_search(field: FieldSpec, said: str) -> Search:
    scale, colon, ends = said.partition(":")
    if scale in ("log", "lin") and colon:
        if field.kind not in ("int", "float"):
            raise UsageError(f"{field.name} is no number, so it has no range.", remedy="List its values.")
        try:
            low, high = (float(each) for each in ends.split(":"))
        except ValueError:
            raise UsageError(f"A range is {scale}:LOW:HIGH, not {said}.") from None
        return Search(low=low, high=high, log=scale == "log")
    values = tuple(each.strip() for each in said.split(",") if each.strip())
    if not values:
        raise UsageError(f"{field.name} needs values.", remedy=f"For example {field.name}=A,B,C.")
    return Search(values=values)


def _checked(field: FieldSpec, value: Any) -> Any:
    """A value as the operation takes it, checked as by its form."""
    if field.kind == "int" and isinstance(value, float) and value.is_integer():
        value = int(value)
    alone = field.model_copy(update={"required": False})
    return validate((alone,), {field.name: value})[field.name]
