"""Writes `job.py`: the script that a job runs, and that "Export as script" hands over unchanged."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from workbench import __version__
from workbench.jobs.input_hashes import is_here, known_hashes
from workbench.jobs.source_text import comment, literal, plain
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

With uv, which installs what the lines above name: `uv run --find-links FOLDER job.py …`, where FOLDER holds
Tenfold's wheel.
"""

from workbench.jobs.worker import Job{model_import}

# What can be set; the command line goes before it (--help lists all flags).
PARAMS = {params}
{files}
# What the finished job told, for --verify: filled in when it is exported.
EXPECTED = {{}}

job = Job(
    operation={operation},
    plugin={plugin},
    output_name={output_name},
    model={model},
    params=PARAMS,{files_line}{readers_line}
    seed={seed},
    expected=EXPECTED,
)

if __name__ == "__main__":
    raise SystemExit(job.main())
'''

_FILES = "FILES = "
_FILES_NOTE = "\n# The files among them, by content: another is refused unless the command line names it.\n"
_NO_FIGURES = "\nEXPECTED = {}\n"


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
    hashes = known_hashes(spec.params)
    return _SCRIPT.format(
        requirements="\n".join(f"#     {literal(each)}," for each in needed),
        title=plain(spec.title),
        origin=_origin(spec, version),
        model_flag=" --model MODEL" if spec.model else "",
        out="RESULT.gguf" if spec.output_format == "gguf" else "RESULT",
        model_import=", ModelInput" if spec.model else "",
        params=parameter_lines(spec, lambda _name, value: literal(without_folder(value))),
        operation=literal(spec.operation),
        plugin=literal(spec.plugin),
        output_name=literal(spec.output_name),
        model=model_source(spec.model) if spec.model else "None",
        files=_FILES_NOTE + _files_line(hashes) if hashes else "",
        files_line="\n    files=FILES," if hashes else "",
        readers_line=readers_line(spec),
        seed=spec.seed,
    )


def with_expected(script: str, expected: Mapping[str, Any]) -> str:
    """A job's script with the figures that it told; unchanged where it has no place for them.

    Args:
        expected: As `workbench.jobs.expected` reads it from the job's events, in plain JSON values.
    """
    lines = [f"    {literal(name)}: {literal(value)},\n" for name, value in expected.items()]
    return script.replace(_NO_FIGURES, "\nEXPECTED = {\n" + "".join(lines) + "}\n", 1)


def with_files(script: str, told: Mapping[str, Sequence[str]]) -> str:
    """A job's script with the hashes of its files that only its run could tell, as they are large.

    Args:
        told: By parameter, as `Input` events tell it.
    """
    line = next((each for each in script.splitlines() if each.startswith(_FILES)), None)
    if line is None:
        return script
    known: dict[str, list[str]] = ast.literal_eval(line.removeprefix(_FILES))
    filled = {
        name: [mine or its for mine, its in zip_longest(hashes, told.get(name, ()), fillvalue="")]
        for name, hashes in known.items()
    }
    return script.replace(f"\n{line}\n", f"\n{_files_line(filled)}", 1)


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


def _files_line(hashes: Mapping[str, Sequence[str]]) -> str:
    return f"{_FILES}{literal(dict(hashes))}\n"


def readers_line(spec: JobSpec, indent: str = "    ") -> str:
    """What reads further kinds of files; nothing where none is needed."""
    if not spec.readers:
        return ""
    named = [each.model_dump(mode="json") for each in spec.readers]
    lines = "".join(f"{indent}    {literal(each)},\n" for each in named)
    return f"\n{indent}readers=[\n{lines}{indent}],"


def _origin(spec: JobSpec, version: str) -> str:
    lines = [f"Written by Tenfold {version}: this is the file that the job itself runs."]
    if spec.model is not None:
        source = public_source(spec.model.source)
        found_at = f", found at {plain(source)}" if source else ""
        lines.append(f"It starts from {plain(spec.model.name)}{found_at}.")
    for plugin in spec.plugins:
        if plugin.startswith("file:"):
            lines.append(f"It needs the plugin {plain(plugin[5:])} beside it, or --plugin-dir FOLDER.")
    for name, value in spec.params.items():
        bare = without_folder(value)
        if bare != value:
            lines.append(_needed_files(name, bare if isinstance(bare, list) else [bare]))
    return "\n".join(lines) + "\n"


def _needed_files(parameter: str, names: Sequence[str]) -> str:
    flag = "--" + parameter.replace("_", "-")
    if len(names) == 1:
        return f"It needs the file {plain(names[0])} beside it, or {flag} PATH."
    return f"It needs the files {', '.join(map(plain, names))} beside it, or {flag} PATH,PATH."


def model_source(model: ModelInput, indent: str = "    ") -> str:
    """The source of a model's name, without its place here."""
    named = {
        "name": model.name,
        "format": model.format,
        "sha256": model.sha256,
        "source": public_source(model.source),
    }
    lines = [f"{indent}    {key}={literal(value)},\n" for key, value in named.items() if value]
    return "ModelInput(\n" + "".join(lines) + f"{indent})"


def public_source(source: str) -> str:
    """Where a model came from, unless that is a place on this machine: only a hub's address is of use."""
    return source if source.startswith("hf:") else ""


def parameter_lines(spec: JobSpec, source_of: Callable[[str, Any], str]) -> str:
    """The parameters as a dictionary in Python, one a line, each below what it does.

    Args:
        source_of: The source of a value, from the parameter's name and its value.
    """
    lines: list[str] = []
    for name, value in spec.params.items():
        lines += comment(spec.notes.get(name, ""))
        lines.append(f"    {literal(name)}: {source_of(name, value)},")
    return "{\n" + "".join(f"{line}\n" for line in lines) + "}" if lines else "{}"
