"""Writes `recipe.py`: the jobs that lead to a model, as one script."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from workbench import __version__
from workbench.errors import UsageError
from workbench.export.recipe_chain import Chain, Link
from workbench.jobs.input_hashes import known_hashes
from workbench.jobs.requirements import requirements
from workbench.jobs.script import (
    model_source,
    parameter_lines,
    public_source,
    readers_line,
    without_folder,
)
from workbench.jobs.source_text import literal, plain
from workbench.jobs.spec import JobSpec
from workbench.packing.installed import DISTRIBUTION
from workbench.recipes.arguments import MODEL
from workbench.recipes.steps import FromInput, Source

_SCRIPT = '''\
# /// script
# requires-python = ">=3.11"
# dependencies = [
{requirements}
# ]
# ///
"""{title}, in {count}.

{origin}

{steps}

Run it:

    python recipe.py{models} --out {out}
    python recipe.py --list
    python recipe.py --help

Each step works in a folder of its own below OUT.work, or --work FOLDER. After a pause, a failure or a power
cut, --resume skips what is done and goes on. With uv, which installs what the lines above name:
`uv run --find-links FOLDER recipe.py …`, where FOLDER holds Tenfold's wheel.
"""

from workbench.jobs.worker import Job{model_import}
from workbench.recipes import {names}

# The models that it is given, known by their content.
INPUTS = {inputs}

# What can be set of each step; --set STEP.NAME=VALUE goes before it.

{blocks}

recipe = Recipe(
    title={name},
    out={out_literal},
    inputs=INPUTS,
    steps=[
{jobs}    ],
)

if __name__ == "__main__":
    raise SystemExit(recipe.main())
'''

_STEP = """\
        Step(
            name={name},
            title={title},{start}
            job=Job(
                operation={operation},
                plugin={plugin},
                output_name={output_name},
                model={model},
                params={block},{files}{readers}
                seed={seed},
            ),
            sha256={sha256},
        ),
"""
_OWN_NAMES = frozenset({"INPUTS", "Job", "ModelInput", "Recipe", "Step", "FromInput", "FromStep", "recipe"})


def render_recipe(chain: Chain) -> str:
    """The text of `recipe.py`.

    As in `job.py` there is no secret in it and no path of this machine: models are named by name, hash and
    source, and files by their names and hashes.

    Raises:
        UsageError: Two steps need a package in versions that can't stand in one environment.
    """
    links = chain.links
    blocks = _block_names(links)
    written = [_block(number, link, blocks[link.name], len(links)) for number, link in enumerate(links, 1)]
    jobs = "".join(_step(chain, link, blocks[link.name]) for link in links)
    uses = [
        name for name in ("FromInput", "FromStep") if any(f"{name}(" in each for each in (jobs, *written))
    ]
    out = _out(chain)
    return _SCRIPT.format(
        requirements="\n".join(f"#     {literal(each)}," for each in union(links)),
        title=plain(chain.model.name),
        count=f"{len(links)} steps" if len(links) != 1 else "one step",
        origin=_origin(chain),
        steps="\n".join(f"  {number}. {plain(link.spec.title)}" for number, link in enumerate(links, 1)),
        models="".join(
            " --model MODEL" if name == MODEL else f" --input {name}=PATH" for name in _ordered(chain.inputs)
        ),
        out=_shown(out),
        model_import=", ModelInput" if "ModelInput(" in jobs or chain.inputs else "",
        names=", ".join([*uses, "Recipe", "Step"]),
        inputs=_inputs(chain),
        blocks="\n\n".join(written),
        name=literal(chain.model.name),
        out_literal=literal(out),
        jobs=jobs,
    )


def union(links: Sequence[Link]) -> tuple[str, ...]:
    """What all steps together need installed.

    Raises:
        UsageError: Two of them need a package in different versions.
    """
    extras: list[str] = []
    found: dict[str, tuple[str, str]] = {}
    tenfold = ""
    for link in links:
        first, *others = requirements(link.spec.backend, __version__, link.spec.requires)
        tenfold = first.partition("==")[2]
        if link.spec.backend and link.spec.backend not in extras:
            extras.append(link.spec.backend)
        for text in others:
            name = _package(text)
            known, by = found.setdefault(name, (text, link.name))
            if known != text:
                raise UsageError(
                    f"{by} needs {known}, and {link.name} needs {text}: one script has one environment.",
                    remedy="Export the two jobs as scripts of their own: `tenfold jobs export`.",
                )
    own = f"{DISTRIBUTION}[{','.join(sorted(extras))}]" if extras else DISTRIBUTION
    return (f"{own}=={tenfold}", *(text for _name, (text, _by) in sorted(found.items())))


def _package(text: str) -> str:
    try:
        return canonicalize_name(Requirement(text).name)
    except InvalidRequirement:
        return text


def _block_names(links: Sequence[Link]) -> dict[str, str]:
    """A name in Python for the parameters of each step: `GGUF_QUANTIZE` for `gguf-quantize`."""
    found: dict[str, str] = {}
    for link in links:
        name = re.sub(r"\W", "_", link.name, flags=re.ASCII).upper()
        if not name.isidentifier() or keyword.iskeyword(name) or name in _OWN_NAMES:
            name = f"STEP_{name}"
        while name in found.values():
            name += "_"
        found[link.name] = name
    return found


def _block(number: int, link: Link, name: str, count: int) -> str:
    params = parameter_lines(link.spec, lambda parameter, value: _value(link, parameter, value))
    return f"# Step {number} of {count}, {link.name}: {plain(link.spec.title)}\n{name} = {params}"


def _value(link: Link, parameter: str, value: Any) -> str:
    if isinstance(value, list) and any(each in link.made_of for each in value if isinstance(each, str)):
        return "[" + ", ".join(_value(link, parameter, each) for each in value) + "]"
    if isinstance(value, str) and value in link.made_of:
        return _source(link.made_of[value])
    # A file that is gone by now has kept the place in its job that nobody else has.
    bare = without_folder(value)
    if parameter not in link.files:
        return literal(bare)
    return literal(list(map(_name, bare)) if isinstance(bare, list) else _name(bare))


def _name(path: str) -> str:
    return Path(path).name if Path(path).is_absolute() else path


def _source(source: Source) -> str:
    return f"{type(source).__name__}({literal(source.name)})"


def _step(chain: Chain, link: Link, block: str) -> str:
    spec = link.spec
    files = _files(link)
    return _STEP.format(
        name=literal(link.name),
        title=literal(plain(spec.title)),
        start=f"\n            start={_source(link.start)}," if link.start is not None else "",
        operation=literal(spec.operation),
        plugin=literal(spec.plugin),
        output_name=literal(spec.output_name),
        model=_model(spec, link.start),
        block=block,
        files=_files_lines(files),
        readers=readers_line(spec, " " * 16),
        seed=spec.seed,
        sha256=literal(link.made.sha256),
    )


def _files_lines(files: Mapping[str, Sequence[str]]) -> str:
    """The hashes of a step's files, one parameter a line; nothing where it has none."""
    if not files:
        return ""
    lines = "".join(f"{' ' * 20}{literal(name)}: {literal(hashes)},\n" for name, hashes in files.items())
    return f"\n{' ' * 16}files={{\n{lines}{' ' * 16}}},"


def _model(spec: JobSpec, start: Source | None) -> str:
    if spec.model is None or start is None:
        return "None"
    if isinstance(start, FromInput):
        return f"INPUTS[{literal(start.name)}]"
    # What an earlier step makes elsewhere may differ in its last bits: its hash is told then.
    named = spec.model.model_copy(update={"sha256": None, "source": ""})
    return model_source(named, " " * 16)


def _files(link: Link) -> dict[str, list[str]]:
    """The hashes of a step's files: as it read them, or as they are where nobody wrote that down then."""
    hashes = {**known_hashes(link.spec.params), **{name: list(told) for name, told in link.files.items()}}
    found: dict[str, list[str]] = {}
    for name, told in hashes.items():
        value = link.spec.params.get(name)
        paths = value if isinstance(value, list) else [value]
        kept = ["" if path in link.made_of else each for path, each in zip(paths, told, strict=False)]
        if any(kept):
            found[name] = kept
    return found


def _inputs(chain: Chain) -> str:
    lines = [f"    {literal(name)}: {model_source(chain.inputs[name])},\n" for name in _ordered(chain.inputs)]
    return "{\n" + "".join(lines) + "}" if lines else "{}"


def _ordered(inputs: Mapping[str, Any]) -> list[str]:
    return sorted(inputs, key=lambda name: name != MODEL)


def _origin(chain: Chain) -> str:
    lines = [f"Written by Tenfold {__version__} from the jobs that made it; each step runs as its job did."]
    for name in _ordered(chain.inputs):
        model = chain.inputs[name]
        source = public_source(model.source)
        found_at = f", found at {plain(source)}" if source else ""
        word = "It starts from" if name == MODEL else f"It needs, as {name},"
        lines.append(f"{word} {plain(model.name)}{found_at}.")
    for plugin in dict.fromkeys(plugin for link in chain.links for plugin in link.spec.plugins):
        if plugin.startswith("file:"):
            lines.append(f"It needs the plugin {plain(plugin[5:])} beside it, or --plugin-dir FOLDER.")
    lines += [line for link in chain.links for line in _needed_files(link)]
    return "\n".join(lines)


def _needed_files(link: Link) -> Iterator[str]:
    for parameter in _files(link):
        value = link.spec.params[parameter]
        paths = [each for each in (value if isinstance(value, list) else [value]) if each not in link.made_of]
        names = ", ".join(plain(Path(each).name) for each in paths)
        yield f"It needs {names} beside it, or --set {link.name}.{parameter}=PATH."


def _out(chain: Chain) -> str:
    name = chain.links[-1].spec.output_name
    return f"{name}.gguf" if chain.model.path.suffix.lower() == ".gguf" else name


def _shown(out: str) -> str:
    return "RESULT.gguf" if out.endswith(".gguf") else "RESULT"
