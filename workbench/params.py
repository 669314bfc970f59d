"""Typed parameters of an operation: one definition makes the form, the flags, the script, the messages."""

from __future__ import annotations

import json
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from workbench.conditions import Condition
from workbench.errors import ParameterError, PluginError

#: Stands among the endings of a path that may be a folder.
FOLDER = "/"

#: What a field takes over from its declaration as it stands.
_AS_DECLARED = ("unit", "step", "suffixes", "made_by", "offered", "search", "shown_when", "advanced")

#: Models that were made, by the identity of their fields; who holds the fields keeps it theirs.
_models: dict[int, tuple[tuple[FieldSpec, ...], type[Params]]] = {}
_MODELS_KEPT = 16

FieldKind = Literal["int", "float", "bool", "text", "choice", "path", "paths", "mapping", "list"]


#: What plugins offer that a parameter can name.
Kind = Literal["", "metric", "training-method"]


class Choice(BaseModel):
    """One value of a choice, with what a person should know of it.

    Attributes:
        value: What is stored.
        title: What is shown; the value itself where empty.
        help: The advice, for example `the usual pick: close to the original at a third of the size`.
        group: A heading that choices are gathered under.
        facts: Figures to show beside it, for example `{"bits": 4.89}`.
    """

    model_config = ConfigDict(frozen=True)

    value: str
    title: str = ""
    help: str = ""
    group: str = ""
    facts: dict[str, float] = Field(default_factory=dict)


class Search(BaseModel):
    """How a parameter can be searched: a list of values, or a range.

    Attributes:
        values: The values worth trying, in order; empty for a range.
        low: Least value of a range, included.
        high: Largest value of a range, included.
        log: Whether the range is sampled on a logarithmic scale.
    """

    model_config = ConfigDict(frozen=True)

    values: tuple[Any, ...] = ()
    low: float | None = None
    high: float | None = None
    log: bool = False


class FieldSpec(BaseModel):
    """One parameter, as data: enough to draw it, parse it and check it without importing its plugin."""

    model_config = ConfigDict(frozen=True)

    name: str
    title: str
    kind: FieldKind
    default: Any = None
    required: bool = False
    optional: bool = False
    help: str = ""
    unit: str = ""
    ge: float | None = None
    le: float | None = None
    step: float | None = None
    choices: tuple[Choice, ...] = ()
    suffixes: tuple[str, ...] = ()
    made_by: str = ""
    offered: Kind = ""
    search: Search | None = None
    shown_when: tuple[Condition, ...] = ()
    advanced: bool = False

    @property
    def flag(self) -> str:
        """The command-line flag: `--group-size` for `group_size`."""
        return "--" + self.name.replace("_", "-")

    def shown(self, values: Mapping[str, Any]) -> bool:
        """Whether the field means anything, given the other parameters' values."""
        return all(condition.holds(values) for condition in self.shown_when)


class Params(BaseModel):
    """Base of every operation's parameters: frozen, and unknown names are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


def Param(  # noqa: N802 - reads as a declaration beside pydantic's Field
    default: Any = ...,
    *,
    help: str,
    title: str = "",
    unit: str = "",
    ge: float | None = None,
    le: float | None = None,
    step: float | None = None,
    choices: tuple[Choice, ...] = (),
    suffixes: tuple[str, ...] = (),
    made_by: str = "",
    offered: Kind = "",
    search: Search | None = None,
    shown_when: tuple[Condition, ...] = (),
    advanced: bool = False,
) -> Any:
    """Declare one parameter of an operation.

    Args:
        default: Its default; leave it out for one that must be given.
        help: What it does, in a sentence that a person understands.
        title: Its label; made from the name where empty.
        unit: The unit of its value, for example `bits`, `tokens`, `GB`.
        ge: Least value.
        le: Largest value.
        step: The step of a spin box.
        choices: Titles and advice for the values of a `Literal` or a text field.
        suffixes: File endings that a path, or each of several, may have, for example `(".gguf",)`; `/` where
            it may be a folder.
        made_by: An operation whose jobs make such a file; what they made is offered.
        offered: What plugins offer of this kind is to be chosen from; a value is `PLUGIN:NAME`. A training
            method's options stand in a mapping beside it, `NAME_options` for a parameter called `NAME`.
        search: How a sweep may vary it.
        shown_when: Conditions on other parameters under which it means anything.
        advanced: Whether a form folds it away.
    """
    extra = {
        "title": title,
        "unit": unit,
        "step": step,
        "choices": choices,
        "suffixes": suffixes,
        "made_by": made_by,
        "offered": offered,
        "search": search,
        "shown_when": shown_when,
        "advanced": advanced,
    }
    return Field(default, description=help, ge=ge, le=le, json_schema_extra={"tenfold": extra})  # type: ignore[dict-item]


def fields_of(params: type[Params]) -> tuple[FieldSpec, ...]:
    """The fields of a parameter model as data, in the order of their declaration.

    Raises:
        PluginError: A field has a type that no form can show, or was not declared with `Param`.
    """
    return tuple(_field_spec(params, name, field) for name, field in params.model_fields.items())


def model_of(fields: tuple[FieldSpec, ...]) -> type[Params]:
    """A parameter model made from field data: what the window and the command line validate with.

    Making one takes about 25 ms, and a sweep checks every trial: so the last few are kept.
    """
    known = _models.get(id(fields))
    if known is not None:
        return known[1]
    made = _made_model(fields)
    if len(_models) >= _MODELS_KEPT:
        _models.pop(next(iter(_models)))
    _models[id(fields)] = (fields, made)
    return made


def _made_model(fields: tuple[FieldSpec, ...]) -> type[Params]:
    definitions: dict[str, Any] = {}
    for spec in fields:
        annotation = _annotation(spec)
        default = ... if spec.required else spec.default
        least = 1 if spec.kind == "paths" and spec.required else None
        definitions[spec.name] = (annotation, Field(default, ge=spec.ge, le=spec.le, min_length=least))
    return create_model("ParamsFromCatalogue", __base__=Params, **definitions)


def validate(fields: tuple[FieldSpec, ...], values: Mapping[str, Any]) -> dict[str, Any]:
    """Check values (text from flags, or typed from a form) and fill in the defaults.

    Returns:
        Plain JSON values by parameter name.

    Raises:
        ParameterError: The first value that is wrong, in words, with what would be right.
    """
    by_name = {spec.name: spec for spec in fields}
    for name in values:
        if name not in by_name:
            known = ", ".join(by_name) or "none"
            raise ParameterError(name, f"There is no parameter “{name}”.", remedy=f"Parameters: {known}.")
    prepared = {name: _from_text(by_name[name], value) for name, value in values.items()}
    try:
        checked = model_of(fields)(**prepared)
    except ValidationError as error:
        first = error.errors()[0]
        spec = by_name[str(first["loc"][0])]
        raise ParameterError(spec.name, _message(spec, first["type"], first.get("input"))) from None
    return checked.model_dump(mode="json")


def allowed_text(spec: FieldSpec) -> str:
    """What a field accepts, in words: `2, 3, 4 or 8`, `1 to 16 layers`, `a file (.gguf)`."""
    unit = f" {spec.unit}" if spec.unit else ""
    if spec.kind == "choice":
        values = [choice.value for choice in spec.choices]
        return (", ".join(values[:-1]) + " or " + values[-1] if len(values) > 1 else values[0]) + unit
    if spec.kind == "bool":
        return "true or false"
    if spec.kind in ("int", "float"):
        noun = "a whole number" if spec.kind == "int" else "a number"
        if spec.ge is not None and spec.le is not None:
            return f"{noun} from {spec.ge:g} to {spec.le:g}{unit}"
        if spec.ge is not None:
            return f"{noun}, {spec.ge:g}{unit} or more"
        return f"{noun}, {spec.le:g}{unit} or less" if spec.le is not None else noun + unit
    if spec.kind in ("path", "paths"):
        return _paths_text(spec)
    if spec.kind == "mapping":
        return "pairs name=value, separated by commas"
    if spec.kind == "list":
        return "values separated by commas"
    return "text"


def split_paths(text: str) -> list[str]:
    """The paths that a text from a command line names.

    One path may hold commas where it exists; several of that kind are written as a JSON list.

    >>> split_paths("a.jsonl, b.jsonl"), split_paths('["a,b.jsonl", "c.jsonl"]')
    (['a.jsonl', 'b.jsonl'], ['a,b.jsonl', 'c.jsonl'])
    """
    if _exists(text):
        return [text]
    if text.lstrip().startswith("["):
        try:
            listed = json.loads(text)
        except ValueError:
            listed = None
        if isinstance(listed, list) and all(isinstance(each, str) for each in listed):
            return listed
    return [item.strip() for item in text.split(",") if item.strip()]


def joined_paths(paths: Sequence[str]) -> str:
    """Paths as one text that `split_paths` takes apart again, whatever signs they hold."""
    return json.dumps(list(paths), ensure_ascii=False)


def _exists(text: str) -> bool:
    try:
        return bool(text) and Path(text).exists()
    except (OSError, ValueError):
        return False  # no path of this system: too long, or with a nought in it


def _paths_text(spec: FieldSpec) -> str:
    several = spec.kind == "paths"
    endings = ", ".join(suffix for suffix in spec.suffixes if suffix != FOLDER)
    kinds = []
    if endings or not spec.suffixes:
        kinds.append(("files" if several else "a file") + (f" ({endings})" if endings else ""))
    if FOLDER in spec.suffixes:
        kinds.append("folders" if several else "a folder")
    return " or ".join(kinds) + (" separated by commas" if several else "")


def _field_spec(params: type[Params], name: str, field: FieldInfo) -> FieldSpec:
    extra = (field.json_schema_extra or {}) if not callable(field.json_schema_extra) else {}
    declared = extra.get("tenfold")
    if not isinstance(declared, dict):
        raise PluginError(f"{params.__name__}.{name} is not declared with Param(…).")
    kind, optional, literal_values = _kind(params, name, field.annotation)
    choices: tuple[Choice, ...] = declared["choices"]  # type: ignore[assignment]
    if literal_values:
        described = {choice.value: choice for choice in choices}
        choices = tuple(described.get(value, Choice(value=value)) for value in literal_values)
    limits = {type(item): item for item in field.metadata}
    ge = limits.get(annotated_types.Ge)
    le = limits.get(annotated_types.Le)
    default = field.default if field.default is not PydanticUndefined else None
    if field.default_factory is not None:
        default = field.get_default(call_default_factory=True, validated_data={})
    return FieldSpec(
        name=name,
        title=str(declared["title"]) or name.replace("_", " ").capitalize(),
        kind=kind,
        default=_plain(default),
        required=field.is_required(),
        optional=optional,
        help=field.description or "",
        ge=float(ge.ge) if isinstance(ge, annotated_types.Ge) else None,  # type: ignore[arg-type]
        le=float(le.le) if isinstance(le, annotated_types.Le) else None,  # type: ignore[arg-type]
        choices=choices,
        **{key: declared[key] for key in _AS_DECLARED},
    )


def _kind(params: type[Params], name: str, annotation: Any) -> tuple[FieldKind, bool, tuple[str, ...]]:
    optional = False
    if get_origin(annotation) in (Union, types.UnionType):
        inner = [part for part in get_args(annotation) if part is not type(None)]
        optional = len(inner) < len(get_args(annotation))
        if len(inner) == 1:
            annotation = inner[0]
    origin = get_origin(annotation)
    if origin is Literal and all(isinstance(value, str) for value in get_args(annotation)):
        return "choice", optional, get_args(annotation)
    plain: dict[Any, FieldKind] = {bool: "bool", int: "int", float: "float", str: "text", Path: "path"}
    if annotation in plain:
        return plain[annotation], optional, ()
    if origin is dict and get_args(annotation) == (str, str):
        return "mapping", optional, ()
    if origin in (list, tuple) and get_args(annotation)[0] in (str, Path):
        return "list" if get_args(annotation)[0] is str else "paths", optional, ()
    raise PluginError(
        f"{params.__name__}.{name} has the type {annotation}, which no form can show.",
        remedy="Use int, float, bool, str, Path, Literal of strings, dict[str, str], list[str], list[Path].",
    )


def _annotation(spec: FieldSpec) -> Any:
    types_by_kind: dict[FieldKind, Any] = {
        "int": int,
        "float": float,
        "bool": bool,
        "text": str,
        "path": str,
        "paths": list[str],
        "mapping": dict[str, str],
        "list": list[str],
    }
    if spec.kind == "choice":
        annotation: Any = Literal[tuple(choice.value for choice in spec.choices)]
    else:
        annotation = types_by_kind[spec.kind]
    return annotation | None if spec.optional else annotation


def _from_text(spec: FieldSpec, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if spec.optional and value == "":
        return None
    if spec.kind == "mapping":
        pairs = [pair.partition("=") for pair in value.split(",") if pair.strip()]
        if any(not sign for _, sign, _ in pairs):
            raise ParameterError(spec.name, _message(spec, "mapping", value))
        return {key.strip(): item.strip() for key, _, item in pairs}
    if spec.kind == "paths":
        return split_paths(value)
    if spec.kind == "list":
        return [item.strip() for item in value.split(",") if item.strip()]
    return value


def _plain(default: Any) -> Any:
    """A default as JSON holds it."""
    if isinstance(default, Path):
        return str(default)
    return [_plain(each) for each in default] if isinstance(default, list | tuple) else default


def _message(spec: FieldSpec, problem: str, value: Any) -> str:
    if problem in ("missing", "too_short"):
        return f"“{spec.title}” must be given: {allowed_text(spec)}."
    return f"“{spec.title}” can't be {value!r}: it takes {allowed_text(spec)}."
