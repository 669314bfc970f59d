"""Declares a training method: a loss that a plugin offers, which fine-tuning with PyTorch minimises."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict

from workbench.errors import NotFoundError, ParameterError, PluginError
from workbench.params import FieldSpec, Params, fields_of, validate
from workbench.plugin.version import API_VERSION

Loss = Callable[..., Any]
_L = TypeVar("_L", bound=Loss)

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
#: A longer title is cut in a form.
_MOST_TITLE = 60


class TrainingDeclaration(BaseModel):
    """What a training method says of itself, as data; see `training_method` for the meaning of each field.

    Attributes:
        fields: Its options.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    title: str
    pairs: bool
    summary: str
    documentation: str
    api_version: str
    fields: tuple[FieldSpec, ...]


class TrainingMethod(TrainingDeclaration):
    """What a plugin offers for training: its declaration, its options, and the function that is the loss."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    params: type[Params]
    loss: Loss


def training_method(
    name: str, *, title: str, params: type[Params] = Params, pairs: bool = False
) -> Callable[[_L], _L]:
    """Declare a function as a loss that `finetune-torch` minimises in place of its own.

    It is called with tensors of PyTorch and its options, and returns one loss for each position, as a tensor
    with a gradient; what is learned is their mean. For examples it is called `loss(logits, targets, options)`
    with `logits` of shape (positions, vocabulary) in float32 and `targets`, the right tokens, of shape
    (positions,) in int64. Only positions that are learned come, and only some of a batch at a time, so the
    loss of one position must not look at the others. With `pairs` it is called
    `loss(better, worse, options)` for preferences: the log-probability of each answer less that under the
    model before training, both of shape (pairs,), as in DPO (arXiv 2305.18290).

    The function is called anew for the gradient, on every worker of a distributed run, and after a resume: it
    must keep nothing between calls. Random numbers of `torch` are the same each time. Its docstring is the
    documentation. The held-out loss is this loss too; the proof compares with the usual one. Where it raises,
    or gives another shape, no gradient or no number, the job ends with an error that names it.

    Args:
        name: A name in lower case with dashes, for example `label-smoothing`.
        title: What a person calls it.
        params: Its options, declared as those of an operation are.
        pairs: Whether it learns preferences, with `objective=dpo`, instead of examples.

    Raises:
        PluginError: It has no docstring, does not take three arguments, or what it says of itself is wrong.
    """

    def declare(loss: _L) -> _L:
        documentation = inspect.getdoc(loss) or ""
        if not _NAME.fullmatch(name):
            raise PluginError(f"“{name:.40}” is no name of a training method: lower case, digits and dashes.")
        if not title.strip() or len(title) > _MOST_TITLE or not title.isprintable():
            raise PluginError(f"The title of {name} must be 1 to {_MOST_TITLE} signs on one line.")
        if not documentation:
            raise PluginError(f"The training method {name} has no docstring.", remedy="Say what it learns.")
        if len(inspect.signature(loss).parameters) != 3:
            raise PluginError(f"The training method {name} must take three arguments.")
        loss.__tenfold_training__ = TrainingMethod(  # type: ignore[attr-defined]
            name=name,
            title=title,
            pairs=pairs,
            summary=documentation.splitlines()[0],
            documentation=documentation,
            api_version=API_VERSION,
            fields=fields_of(params),
            params=params,
            loss=loss,
        )
        return loss

    return declare


def training_methods_in(namespace: Mapping[str, Any]) -> list[TrainingMethod]:
    """The training methods that a module's namespace declares, in order."""
    found = (
        vars(value).get("__tenfold_training__") for value in namespace.values() if hasattr(value, "__dict__")
    )
    return [each for each in found if isinstance(each, TrainingMethod)]


class OwnLoss(BaseModel):
    """A training method with its options, ready to be called.

    Attributes:
        who: What to call it where it goes wrong.
        pairs: See `training_method`.
        again: What another process of the job opens it with: the arguments of `open_training_method`.
    """

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    who: str
    pairs: bool
    options: Params
    loss: Loss
    again: tuple[str, Mapping[str, Any], tuple[Path, ...]]

    def __call__(self, first: Any, second: Any) -> Any:
        return self.loss(first, second, self.options)


def open_training_method(
    named: str, options: Mapping[str, Any], folders: Sequence[Path] | None = None
) -> OwnLoss:
    """Import the plugin that offers a training method; for an operation whose parameter names it.

    Args:
        named: `PLUGIN:NAME`, as a parameter with `offered="training-method"` has it.
        options: Values of its options, typed or as text.
        folders: Where a plugin that is a single file lies; by default where this job's plugins do.

    Raises:
        PluginError: The plugin can't be imported.
        NotFoundError: It offers no such method.
        ParameterError: It has no such option, or a value is wrong.
    """
    from workbench.jobs.loading import import_plugin, offered_folders
    from workbench.offered import Offered

    plugin, name = Offered.read(named)
    places = offered_folders() if folders is None else tuple(folders)
    module = import_plugin(plugin, places)
    methods = {each.name: each for each in training_methods_in(vars(module))}
    if name not in methods:
        raise NotFoundError(
            f"The plugin {plugin} offers no training method “{name}”.",
            remedy=f"It offers: {', '.join(methods) or 'none'}.",
        )
    method = methods[name]
    who = f"The training method {name} of the plugin {plugin.removeprefix('file:')}"
    try:
        values = method.params(**validate(method.fields, options))
    except ParameterError as error:
        raise ParameterError("loss_options", f"{who}: {error.message}", remedy=error.remedy) from error
    again = (named, dict(options), places)
    return OwnLoss(who=who, pairs=method.pairs, options=values, loss=method.loss, again=again)
