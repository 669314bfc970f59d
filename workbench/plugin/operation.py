"""Declares a function as an operation: what it takes, what it makes, and where it applies."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, get_type_hints

from pydantic import BaseModel, ConfigDict

from workbench.conditions import Condition
from workbench.errors import PluginError
from workbench.model import ModelFormat
from workbench.params import FieldSpec, Params, fields_of
from workbench.plugin.version import API_VERSION

#: What an operation runs on; the runner keeps slots for each. `network` is for downloads.
Needs = Literal["cpu", "gpu", "network"]

#: Extras of Tenfold that hold a backend.
Backend = Literal["llama", "torch", "mlx", ""]

Run = Callable[..., Path]
_F = TypeVar("_F", bound=Callable[..., Path])


class Declaration(BaseModel):
    """What an operation says of itself, as data; see `operation` for the meaning of each field."""

    model_config = ConfigDict(frozen=True)

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
    requires: tuple[str, ...] = ()
    reproducible: bool = True
    api_version: str


class Operation(Declaration):
    """What a plugin offers: its declaration, typed parameters, and the function that runs it."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

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
    reproducible: bool = True,
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
        reproducible: Whether the same model, parameters and seed give the same bytes; false where the result
            holds what is measured, such as times.

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
            reproducible=reproducible,
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
