"""The command line of `recipe.py`."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from workbench.jobs import exits
from workbench.jobs.arguments import positive

#: How `--model` is called among the inputs.
MODEL = "model"

_EPILOG = f"""\
`recipe.py --step NAME --help` shows what can be set of one step; `--step NAME` with those flags runs that
step alone.

exit codes:
  {exits.DONE:<4}  done
  {exits.FAILED:<4}  a step failed, and standard error says which and why
  {exits.USAGE:<4}  wrong use: a flag, a value or a file that can't be right
  {exits.PAUSED:<4}  paused: --resume goes on from the last checkpoint
  {exits.CANCELLED:<4}  cancelled (Ctrl+C): --resume begins the step that was at work again
"""


@dataclass(frozen=True)
class Arguments:
    """What the command line of a recipe said.

    Attributes:
        inputs: The models that were named, by the name of the input.
        chosen: By step, the parameters that were set, as text.
    """

    inputs: Mapping[str, Path] = field(default_factory=dict)
    any_model: bool = False
    out: Path | None = None
    overwrite: bool = False
    work: Path | None = None
    resume: bool = False
    threads: int | None = None
    plugin_dir: Path | None = None
    list: bool = False
    chosen: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def parse(
    argv: Sequence[str], *, description: str, steps: Collection[str], inputs: Collection[str], out: str
) -> Arguments:
    """Read the command line; prints help or a usage error and leaves with `SystemExit` as argparse does.

    Args:
        steps: The names of the steps, in order.
        inputs: The names of the models that it is given.
        out: Where the result goes where nothing is said.
    """
    parser = _parser(description, inputs, out)
    given = vars(parser.parse_args(argv))
    named: dict[str, Path] = {}
    if given.get("model") is not None:
        named[MODEL] = given["model"]
    for pair in given.get("input", ()):
        name, sign, path = pair.partition("=")
        if not sign or name not in inputs:
            parser.error(f"--input takes NAME=PATH with the name {' or '.join(inputs)}, not {pair!r}")
        named[name] = Path(path)
    return Arguments(
        inputs=named,
        any_model=given.get("any_model", False),
        out=given["out"],
        overwrite=given["overwrite"],
        work=given["work"],
        resume=given["resume"],
        threads=given["threads"],
        plugin_dir=given["plugin_dir"],
        list=given["list"],
        chosen=_chosen(parser, given["set"], steps),
    )


def _chosen(
    parser: argparse.ArgumentParser, pairs: Sequence[str], steps: Collection[str]
) -> dict[str, dict[str, str]]:
    chosen: dict[str, dict[str, str]] = {}
    for pair in pairs:
        place, sign, value = pair.partition("=")
        step, dot, name = place.strip().rpartition(".")
        if not sign or not dot:
            parser.error(f"--set takes STEP.NAME=VALUE, not {pair!r}")
        if step not in steps:
            parser.error(f"there is no step {step!r}; the steps are {', '.join(steps)}")
        chosen.setdefault(step, {})[name.replace("-", "_")] = value
    return chosen


def _parser(description: str, inputs: Collection[str], out: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="recipe.py",
        description=description,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    if MODEL in inputs:
        parser.add_argument(
            "--model", type=Path, metavar="PATH", help="the model to start from (file or folder)"
        )
    others = [name for name in inputs if name != MODEL]
    if others:
        parser.add_argument(
            "--input",
            action="append",
            default=[],
            metavar="NAME=PATH",
            help=f"a further model that it needs: {', '.join(others)}",
        )
    if inputs:
        parser.add_argument(
            "--any-model", action="store_true", help="do the same with other models than the recipe's own"
        )
    parser.add_argument(
        "--out", type=Path, metavar="PATH", help=f"where the last result goes (default: {out})"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace what lies at --out already")
    parser.add_argument(
        "--work",
        type=Path,
        metavar="FOLDER",
        help="folder for the steps, each with its events, log and result, which stay there "
        "(default: OUT.work, where the results in between are removed at the end)",
    )
    parser.add_argument(
        "--resume", action="store_true", help="go on: finished steps are skipped, an interrupted one goes on"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="STEP.NAME=VALUE", help="set a parameter of a step"
    )
    parser.add_argument(
        "--threads", type=positive, metavar="N", help="CPU threads (default: all physical cores)"
    )
    parser.add_argument("--plugin-dir", type=Path, metavar="FOLDER", help="where single-file plugins lie")
    parser.add_argument("--list", action="store_true", help="list the steps, and end")
    return parser
