"""Declares a metric: a figure of a model, which a proof measures for it and for what it was made from."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict

from workbench.errors import PluginError
from workbench.measure.card import Better
from workbench.measure.metric_context import MetricContext, MetricResult
from workbench.plugin.version import API_VERSION

Measure = Callable[[MetricContext], "MetricResult | float"]
_M = TypeVar("_M", bound=Measure)

#: How long a metric may tell nothing before it is taken to hang: a large model reads a prompt in less.
PATIENCE_S = 300.0
#: A longer title or unit leaves no room for the figures on a card.
_MOST_TITLE, _MOST_UNIT = 32, 12
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


class MetricDeclaration(BaseModel):
    """What a metric says of itself, as data; see `metric` for the meaning of each field."""

    model_config = ConfigDict(frozen=True)

    name: str
    title: str
    unit: str
    better: Better
    summary: str
    documentation: str
    patience_s: float
    api_version: str


class MetricMethod(MetricDeclaration):
    """What a plugin offers for measuring: its declaration, and the function that measures one model."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    measure: Measure


def metric(
    name: str, *, title: str, unit: str = "", better: Better = "neither", patience_s: float = PATIENCE_S
) -> Callable[[_M], _M]:
    """Declare a function as a metric: one figure of a model, which becomes a line of its proof card.

    The function takes a `MetricContext`, which holds one loaded model, and returns a `MetricResult`, or a
    number where no error is known. Its docstring is the documentation. It is called once for the model and
    once for what that was made from, each time in a process of its own, so it can't see the other; the card
    shows both figures. What was measured before, by the same source on the same model, is not measured again.

    A metric that raises, returns no finite number or hangs costs its own line of the card and nothing else.

    Args:
        name: The name on the command line, lower case with dashes: `tenfold prove MODEL --metric NAME`.
        title: What the card calls the figure, for example `Length of answers`.
        unit: The unit of the figure, for example `tokens` or `%`.
        better: Which figure is the better one.
        patience_s: How many seconds may pass without a word of progress before it is taken to hang.

    Raises:
        PluginError: It has no docstring, does not take one argument, or what it says of itself is too long.
    """

    def declare(measure: _M) -> _M:
        documentation = inspect.getdoc(measure) or ""
        _check(name, title, unit, better, patience_s)
        if not documentation:
            raise PluginError(f"The metric {name} has no docstring.", remedy="Say what it measures in one.")
        if len(inspect.signature(measure).parameters) != 1:
            raise PluginError(f"The metric {name} must take one argument, the MetricContext.")
        measure.__tenfold_metric__ = MetricMethod(  # type: ignore[attr-defined]
            name=name,
            title=title,
            unit=unit,
            better=better,
            summary=documentation.splitlines()[0],
            documentation=documentation,
            patience_s=patience_s,
            api_version=API_VERSION,
            measure=measure,
        )
        return measure

    return declare


def metrics_in(namespace: Mapping[str, Any]) -> list[MetricMethod]:
    """The metrics that a module's namespace declares, in order."""
    found = (
        vars(value).get("__tenfold_metric__") for value in namespace.values() if hasattr(value, "__dict__")
    )
    return [each for each in found if isinstance(each, MetricMethod)]


def _check(name: str, title: str, unit: str, better: object, patience_s: float) -> None:
    if not _NAME.fullmatch(name):
        raise PluginError(f"“{name:.40}” is no name of a metric: lower case letters, digits and dashes.")
    for what, text, most in (("title", title, _MOST_TITLE), ("unit", unit, _MOST_UNIT)):
        if len(text) > most or not text.isprintable():
            raise PluginError(f"The {what} of the metric {name} must be at most {most} signs on one line.")
    if not title.strip():
        raise PluginError(f"The metric {name} has no title.")
    if better not in get_args(Better):
        raise PluginError(f"The metric {name} must say better='lower', 'higher' or 'neither'.")
    if not patience_s > 0:
        raise PluginError(f"The metric {name} must be given some time: patience_s is {patience_s}.")
