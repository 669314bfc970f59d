"""Writes `job.py`: the script that a job runs, and that "Export as script" hands over unchanged."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from workbench import __version__
from workbench.jobs.input_hashes import is_here, known_hashes
from workbench.jobs.spec import JobSpec, ModelInput

_SCRIPT = '''\
# /// script
# requires-python = ">=3.11"
# dependencies = [
{requirements}
# ]
# ///
"""{title}.

{origin}
Run it alone:

    python job.py{model_flag} --out {out}
    python job.py{model_flag} --verify     # the first part only: does this computer give the same figures?
    python job.py --help

With uv, which installs what the lines above name: `uv run job.py …`
"""

from workbench.jobs.worker import Job{model_import}

# What can be set; the command line goes before it (--help lists all flags).
PARAMS = {params}

# What the finished job told, for --verify: filled in when it is exported.
EXPECTED = {{}}

job = Job(
    operation={operation},
    plugin={plugin},
    output_name={output_name},
    model={model},
    files={files},
    params=PARAMS,
    seed={seed},
    expected=EXPECTED,
)

if __name__ == "__main__":
    raise SystemExit(job.main())
'''

_NO_FIGURES = "\nEXPECTED = {}\n"
_WIDTH = 110


def render(spec: JobSpec) -> str:
    """The text of `job.py` for a job.

    It holds no secret and no path of this machine: a model is named by name, hash and source, and
    parameters that are files by their file names and, up to a size, their hashes. The worker looks those up
    in the job's folder, or takes them from the command line.

    Args:
        spec: The job; `params` are plain JSON values.
    """
    version = spec.tenfold_version or __version__
    # Imported here: a worker, which imports this module too, must run beside any version of `packaging`.
    from workbench.jobs.requirements import requirements

    needed = requirements(spec.backend, version, spec.requires)
    return _SCRIPT.format(
        requirements="\n".join(f"#     {_literal(each)}," for each in needed),
        title=_plain(spec.title),
        origin=_origin(spec, version),
        model_flag=" --model MODEL" if spec.model else "",
        out="RESULT.gguf" if spec.output_format == "gguf" else "RESULT",
        model_import=", ModelInput" if spec.model else "",
        params=_params(spec),
        operation=_literal(spec.operation),
        plugin=_literal(spec.plugin),
        output_name=_literal(spec.output_name),
        model=_model(spec.model) if spec.model else "None",
        files=_literal(known_hashes(spec.params)),
        seed=spec.seed,
    )


def with_expected(script: str, expected: Mapping[str, Any]) -> str:
    """A job's script with the figures that it told; unchanged where it has no place for them.

    Args:
        expected: As `workbench.jobs.expected` reads it from the job's events, in plain JSON values.
    """
    lines = [f"    {_literal(name)}: {_literal(value)},\n" for name, value in expected.items()]
    return script.replace(_NO_FIGURES, "\nEXPECTED = {\n" + "".join(lines) + "}\n", 1)


def without_folder(value: Any) -> Any:
    """A parameter's value as a script states it: the path of a file or folder here becomes its name.

    In a list, files of the same name keep as many of their folders as tell them apart.
    """
    if isinstance(value, list | tuple):
        places = {each: Path(each).parts for each in value if is_here(each)}
        return [_shortest_name(places, each) if each in places else each for each in value]
    return Path(value).name if is_here(value) else value


def _shortest_name(places: Mapping[str, tuple[str, ...]], path: str) -> str:
    """The end of one path that none of the others shares, with `/` on every system."""
    parts = places[path]
    others = [other for other in places.values() if other != parts]
    count = next(
        (
            count
            for count in range(1, len(parts))
            if all(other[-count:] != parts[-count:] for other in others)
        ),
        len(parts) - 1,
    )
    return "/".join(parts[-count:])


def _origin(spec: JobSpec, version: str) -> str:
    lines = [f"Written by Tenfold {version}: this is the file that the job itself runs."]
    if spec.model is not None:
        source = _public_source(spec.model.source)
        found_at = f", found at {_plain(source)}" if source else ""
        lines.append(f"It starts from {_plain(spec.model.name)}{found_at}.")
    if spec.plugin.startswith("file:"):
        lines.append(f"It needs the plugin {_plain(spec.plugin[5:])} beside it, or --plugin-dir FOLDER.")
    for name, value in spec.params.items():
        bare = without_folder(value)
        if bare != value:
            lines.append(_needed_files(name, bare if isinstance(bare, list) else [bare]))
    return "\n".join(lines) + "\n"


def _needed_files(parameter: str, names: Sequence[str]) -> str:
    flag = "--" + parameter.replace("_", "-")
    if len(names) == 1:
        return f"It needs the file {_plain(names[0])} beside it, or {flag} PATH."
    return f"It needs the files {', '.join(map(_plain, names))} beside it, or {flag} PATH,PATH."


def _model(model: ModelInput) -> str:
    named = {
        "name": model.name,
        "format": model.format,
        "sha256": model.sha256,
        "source": _public_source(model.source),
    }
    lines = [f"        {key}={_literal(value)},\n" for key, value in named.items() if value]
    return "ModelInput(\n" + "".join(lines) + "    )"


def _public_source(source: str) -> str:
    """Where a model came from, unless that is a place on this machine: only a hub's address is of use."""
    return source if source.startswith("hf:") else ""


def _params(spec: JobSpec) -> str:
    """The parameters, one a line, each below what it does."""
    lines = []
    for name, value in spec.params.items():
        lines += textwrap.wrap(
            _plain(spec.notes.get(name, "")),
            _WIDTH,
            initial_indent="    # ",
            subsequent_indent="    # ",
            break_on_hyphens=False,
        )
        lines.append(f"    {_literal(name)}: {_literal(without_folder(value))},")
    return "{\n" + "".join(f"{line}\n" for line in lines) + "}" if lines else "{}"


def _literal(value: Any) -> str:
    """A JSON value as Python source, on one line."""
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_literal(str(k))}: {_literal(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_literal, value)) + "]"
    if isinstance(value, str):
        # ascii() keeps control and look-alike characters of a hostile name from acting as source.
        text = repr(value) if value.isprintable() else ascii(value)
        return '"' + text[1:-1] + '"' if text[0] == "'" and '"' not in text else text
    return repr(value)


def _plain(text: str) -> str:
    """Text that can stand in a docstring whatever a model's file calls itself."""
    visible = "".join(sign if sign.isprintable() else " " for sign in text)
    return " ".join(visible.replace("\\", "/").replace('"', "'").split()).rstrip(".")
