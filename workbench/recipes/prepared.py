"""What a recipe is given, looked through before any step starts: its models, its files, its values."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from workbench.errors import ParameterError, UsageError
from workbench.jobs.input_checks import check_file, check_model, found_beside
from workbench.jobs.loading import load_operation
from workbench.jobs.spec import ModelInput
from workbench.library.inspect import inspect
from workbench.params import validate
from workbench.plugin import Operation
from workbench.recipes.arguments import MODEL, Arguments
from workbench.recipes.steps import Step, sources_in


@dataclass(frozen=True, slots=True)
class GivenModel:
    """A model that was named, with the hash that it has; empty where the recipe knows none."""

    path: Path
    sha256: str


@dataclass(frozen=True, slots=True)
class ReadyStep:
    """A step with what the command line left of its values.

    Attributes:
        values: Its parameters, checked; what other steps make stands as in the recipe.
        files: By parameter, the hashes of the files that it stands for.
    """

    step: Step
    operation: Operation
    values: Mapping[str, Any]
    files: Mapping[str, tuple[str, ...]]


class Teller:
    """Says on standard error what is under way before there is a job that could."""

    def log(self, text: str, *, level: Literal["info", "warning", "error"] = "info") -> None:
        sys.stderr.write(f"{text if level == 'info' else f'{level}: {text}'}\n")
        sys.stderr.flush()

    def check(self) -> None:
        """Nothing is asked of it: Ctrl+C ends it."""


def given_models(inputs: Mapping[str, ModelInput], arguments: Arguments) -> dict[str, GivenModel]:
    """The models that a recipe starts from, each compared with the one that it was written for.

    Raises:
        UsageError: One was not named.
        ModelFileError: It is another one, or can't be read.
    """
    found: dict[str, GivenModel] = {}
    for name, wanted in inputs.items():
        path = arguments.inputs.get(name)
        if path is None:
            flag = "--model PATH" if name == MODEL else f"--input {name}=PATH"
            raise UsageError(f"The model {wanted.name} was not named.", remedy=f"Add {flag}.")
        path = path.expanduser().absolute()
        facts = inspect(path)
        sha256 = ""
        if wanted.sha256:
            sha256 = check_model(path, facts, wanted.sha256, Teller(), any_model=arguments.any_model)
        found[name] = GivenModel(path, sha256)
    return found


def ready_steps(
    steps: Sequence[Step], arguments: Arguments, folders: Sequence[Path], beside: Path
) -> dict[str, ReadyStep]:
    """The steps with checked values, and files that are there and the same.

    Args:
        folders: Where single-file plugins are looked for.
        beside: The folder of the script, where files lie that it names.

    Raises:
        ParameterError: A value is wrong.
        ModelFileError: A file is not there, or is another one.
        WorkbenchError: The plugin of a step can't be imported.
    """
    return {each.name: _ready(each, arguments.chosen.get(each.name, {}), folders, beside) for each in steps}


def _ready(step: Step, chosen: Mapping[str, str], folders: Sequence[Path], beside: Path) -> ReadyStep:
    operation = load_operation(step.job.plugin, step.job.operation, folders)
    asked = {**step.job.params, **chosen}
    made = {name: value for name, value in asked.items() if any(True for _ in sources_in(value))}
    # A path that nobody looks at yet stands for what will be made.
    stand_in = {name: ["made"] if isinstance(value, list) else "made" for name, value in made.items()}
    try:
        values = validate(operation.fields, {**asked, **stand_in}) | made
    except ParameterError as error:
        where = f"{step.name}.{error.parameter}"
        raise ParameterError(where, f"{step.name}: {error.message}", remedy=error.remedy) from None
    files: dict[str, tuple[str, ...]] = {}
    for field in operation.fields:
        value = values.get(field.name)
        if field.kind in ("path", "paths") and value:
            several = value if isinstance(value, list) else [value]
            places, files[field.name] = _compared(step, field.name, several, beside, field.name in chosen)
            values[field.name] = places if isinstance(value, list) else places[0]
    return ReadyStep(step, operation, values, files)


def _compared(
    step: Step, parameter: str, values: Sequence[Any], beside: Path, chosen: bool
) -> tuple[list[Any], tuple[str, ...]]:
    """Where the files of a parameter lie, and their hashes; what will be made is left as it is."""
    label = f"{step.name}.{parameter}"
    known = step.job.files.get(parameter, ())
    places: list[Any] = []
    hashes: list[str] = []
    for number, value in enumerate(values):
        if not isinstance(value, str):
            places.append(value)
            continue
        place = Path(found_beside(label, value, (beside,))).absolute()
        expected = known[number] if number < len(known) else ""
        hashes.append(check_file(label, place, expected, Teller(), chosen=chosen, strict=False))
        places.append(str(place))
    return places, tuple(hashes)
