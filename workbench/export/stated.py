"""Says which job a folder from elsewhere holds: its claims, taken over as far as they are safe.

Nothing that is found there runs. Its `job.py` is read as text, and where a plugin, a requirement or an
address could make something run later, what this home knows of the operation stands in its place.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

import msgspec
from pydantic import ValidationError

from workbench.catalogue import Catalogue
from workbench.catalogue_entry import OperationEntry
from workbench.errors import NotFoundError, ParameterError, UsageError
from workbench.jobs.build import file_name
from workbench.jobs.events import Artifact
from workbench.jobs.spec import JobSpec, ModelInput
from workbench.library.library import Library
from workbench.params import validate

#: A script of ours is a few kilobytes, with recorded figures a few dozen.
MOST_SCRIPT_BYTES = 1 << 20
_MOST_PARAMS_BYTES = 1 << 20
_LONGEST_TITLE = 200
_LONGEST_NAME = 100
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*){0,7}")
_FILE = re.compile(r"file:[A-Za-z_]\w*\.py")
_SHA256 = re.compile(r"[0-9a-f]{64}")
#: What a script may be built of that reading it as text can't take.
_UNREADABLE = (SyntaxError, ValueError, TypeError, RecursionError, MemoryError)


def stated_job(claim: Mapping[str, Any] | None, script: bytes) -> JobSpec:
    """The job that a folder claims to hold.

    Args:
        claim: What its events say.
        script: Its `job.py`, asked where the events say nothing; empty where there is none.

    Raises:
        UsageError: It does not say, or not in a way that can be read.
    """
    try:
        found = JobSpec.model_validate(claim) if claim is not None else _of_script(script)
        fits = found is not None and len(msgspec.json.encode(found.params)) <= _MOST_PARAMS_BYTES
    except (ValidationError, msgspec.MsgspecError, *_UNREADABLE) as error:
        raise _unknown(str(error)) from error
    if found is None or not fits or not _NAME.fullmatch(found.operation):
        raise _unknown()
    return found


def safe_job(claimed: JobSpec, artifact: Artifact, catalogue: Catalogue, library: Library) -> JobSpec:
    """A job as it may stand in this home: by what is known here, with the claims that harm nothing.

    Args:
        artifact: What it made.

    Raises:
        UsageError: Its plugin is named in a way that no plugin is.
    """
    try:
        entry: OperationEntry | None = catalogue.operation(claimed.operation)
    except NotFoundError:
        entry = None
    model = _model(claimed.model, library) if claimed.model is not None else None
    params = _without_places(claimed.params, entry)
    common = {
        "operation": claimed.operation,
        "model": model,
        "seed": claimed.seed,
        "output_name": file_name(claimed.output_name),
        "tenfold_version": one_line(claimed.tenfold_version, _LONGEST_NAME),
    }
    if entry is None:
        if not (_MODULE.fullmatch(claimed.plugin) or _FILE.fullmatch(claimed.plugin)):
            raise _unknown(f"The plugin is called {claimed.plugin!r:.200}.")
        made = artifact.format or "any" if artifact.role == "model" else None
        title = one_line(claimed.title, _LONGEST_TITLE) or claimed.operation
        return JobSpec(plugin=claimed.plugin, title=title, params=params, output_format=made, **common)
    return JobSpec(
        plugin=entry.plugin,
        title=_title(entry, params, model),
        params=_checked(entry, params),
        needs=entry.needs,
        output_format=entry.output,
        resumable=entry.resumable,
        restarts=entry.restarts,
        requires=entry.requires,
        backend=entry.backend,
        api_version=entry.api_version,
        **common,
    )


def one_line(text: str, longest: int) -> str:
    """A claim that can stand in a line of a window or a terminal."""
    visible = "".join(sign if sign.isprintable() else " " for sign in text[: 4 * longest])
    return " ".join(visible.split())[:longest]


def _unknown(details: str = "") -> UsageError:
    return UsageError(
        "The folder does not say which job made it.",
        remedy="Name the job that it was exported from: tenfold jobs import JOB FOLDER",
        details=details,
    )


def _of_script(script: bytes) -> JobSpec | None:
    """Read the call of `Job` in a `job.py` that we wrote. It is never run."""
    tree = ast.parse(script[:MOST_SCRIPT_BYTES])
    named: dict[str, ast.expr] = {}
    for each in tree.body:
        if isinstance(each, ast.Assign) and len(each.targets) == 1 and isinstance(each.targets[0], ast.Name):
            named[each.targets[0].id] = each.value
    call = named.get("job")
    if not isinstance(call, ast.Call):
        return None
    words: dict[str, ast.expr] = {}
    for keyword in call.keywords:
        value = keyword.value
        # `params=PARAMS`: what is to be set stands by itself at the head of the script.
        words[keyword.arg or ""] = named.get(value.id, value) if isinstance(value, ast.Name) else value
    model = words.get("model")
    values: dict[str, Any] = {
        name: ast.literal_eval(words[name])
        for name in ("operation", "plugin", "output_name", "params", "seed")
        if name in words
    }
    if isinstance(model, ast.Call):
        values["model"] = {each.arg: ast.literal_eval(each.value) for each in model.keywords if each.arg}
    title = (ast.get_docstring(tree) or "").partition("\n")[0].rstrip(".")
    return JobSpec.model_validate({"title": title, **values})


def _model(claimed: ModelInput, library: Library) -> ModelInput:
    """The model of this library with that content; where there is none, its name and hash alone."""
    sha256 = claimed.sha256 if claimed.sha256 and _SHA256.fullmatch(claimed.sha256) else None
    here = [each for each in library.list() if sha256 is not None and each.sha256 == sha256]
    if here:
        return library.to_spec_input(min(here, key=lambda each: each.created_at).id)
    return ModelInput(
        name=one_line(claimed.name, _LONGEST_NAME) or "model",
        format=one_line(claimed.format, _LONGEST_NAME),
        sha256=sha256,
        source=one_line(claimed.source, _LONGEST_TITLE) if claimed.source.startswith("hf:") else "",
    )


def _title(entry: OperationEntry, params: Mapping[str, Any], model: ModelInput | None) -> str:
    try:
        label = one_line(entry.result_label(params), _LONGEST_NAME)
    except (KeyError, ValueError, TypeError, AttributeError, IndexError):
        label = ""  # made by another version, with other parameters
    shown = f"{entry.title} ({label})" if label else entry.title
    return f"{shown}: {model.name}" if model is not None else shown


def _checked(entry: OperationEntry, params: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        return validate(entry.fields, params)
    except ParameterError:
        return params  # of another version: shown as they were; a run of it would refuse them


def _without_places(params: Mapping[str, Any], entry: OperationEntry | None) -> dict[str, Any]:
    """Parameters with the paths of the other machine cut to their names."""
    paths = {each.name for each in entry.fields if each.kind in ("path", "paths")} if entry else set(params)
    return {
        one_line(name, _LONGEST_NAME): _names_of(value) if name in paths else value
        for name, value in params.items()
    }


def _names_of(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_names_of(each) for each in value]
    if isinstance(value, str):
        for kind in (PurePosixPath, PureWindowsPath):
            if kind(value).is_absolute():
                return kind(value).name
    return value
