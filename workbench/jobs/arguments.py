"""The command line of `job.py`: every parameter of its operation as a flag."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workbench.jobs import exits
from workbench.params import FieldSpec, allowed_text

_OWN = frozenset(
    {
        "help",
        "model",
        "any-model",
        "model-sha256",
        "out",
        "overwrite",
        "resume",
        "verify",
        "seed",
        "threads",
        "set",
        "job-dir",
        "plugin-dir",
    }
)

_EXIT_CODES = f"""\
exit codes:
  {exits.DONE:<4}  done; with --verify: this computer gives the same figures
  {exits.FAILED:<4}  failed, and standard error says why; with --verify: something differs
  {exits.USAGE:<4}  wrong use: a flag, a value or a file that can't be right
  {exits.PAUSED:<4}  paused: --resume goes on from the last checkpoint
  {exits.CANCELLED:<4}  cancelled (Ctrl+C)
A negative code, or one above 128, is a signal: the system or native code ended the process.
"""


@dataclass(frozen=True)
class Arguments:
    """What the command line of a job said; `values` holds only the parameters that were named."""

    model: Path | None = None
    any_model: bool = False
    model_sha256: str | None = None
    out: Path | None = None
    overwrite: bool = False
    resume: bool = False
    verify: bool = False
    seed: int | None = None
    threads: int | None = None
    job_dir: Path | None = None
    values: Mapping[str, Any] = field(default_factory=dict)


def plugin_dir(argv: Sequence[str]) -> Path | None:
    """`--plugin-dir`, which must be known before the plugin can say which other flags there are."""
    early = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    early.add_argument("--plugin-dir", type=Path)
    known, _ = early.parse_known_args(argv)
    found: Path | None = known.plugin_dir
    return found


def parse(
    argv: Sequence[str],
    *,
    description: str,
    fields: tuple[FieldSpec, ...],
    defaults: Mapping[str, Any],
    takes_model: bool,
    prog: str = "job.py",
) -> Arguments:
    """Read the command line; prints help or a usage error and leaves with `SystemExit` as argparse does.

    Args:
        defaults: The script's own values, for the help text.
        prog: What the help calls the script.
    """
    parser = _parser(description, takes_model, prog)
    group = parser.add_argument_group("parameters of the operation")
    for spec in fields:
        if spec.flag.removeprefix("--") not in _OWN:
            _add(group, spec, defaults.get(spec.name, spec.default))
    given = vars(parser.parse_args(argv))
    values = {
        spec.name: given[f"param_{spec.name}"]
        for spec in fields
        if given.get(f"param_{spec.name}") is not None
    }
    for pair in given["set"]:
        name, sign, value = pair.partition("=")
        if not sign:
            parser.error(f"--set takes NAME=VALUE, not {pair!r}")
        values[name.strip().replace("-", "_")] = value
    return Arguments(
        model=given.get("model"),
        any_model=given.get("any_model", False),
        model_sha256=given.get("model_sha256"),
        out=given["out"],
        overwrite=given["overwrite"],
        resume=given["resume"],
        verify=given["verify"],
        seed=given["seed"],
        threads=given["threads"],
        job_dir=given["job_dir"],
        values=values,
    )


def _parser(description: str, takes_model: bool, prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog,
        description=description,
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    if takes_model:
        parser.add_argument(
            "--model", type=Path, metavar="PATH", help="the model to start from (file or folder)"
        )
        parser.add_argument(
            "--any-model", action="store_true", help="do the same with another model than the script's own"
        )
        parser.add_argument(
            "--model-sha256",
            metavar="HEX",
            help="the model's content hash, where it is known already: it is not read to compare it",
        )
    parser.add_argument("--out", type=Path, metavar="PATH", help="where the result goes")
    parser.add_argument("--overwrite", action="store_true", help="replace what lies at --out already")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoints of an earlier run")
    parser.add_argument(
        "--verify",
        action="store_true",
        help="run only the first part, beside --out, and compare its figures with those that the job told",
    )
    parser.add_argument("--seed", type=int, help="seed of every random choice")
    parser.add_argument(
        "--threads", type=positive, metavar="N", help="CPU threads (default: all physical cores)"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="set a parameter by name"
    )
    parser.add_argument(
        "--job-dir",
        type=Path,
        metavar="FOLDER",
        help="folder for events, log and checkpoints (default: OUT.job)",
    )
    parser.add_argument("--plugin-dir", type=Path, metavar="FOLDER", help="where single-file plugins lie")
    return parser


def _add(group: Any, spec: FieldSpec, default: Any) -> None:
    shown = "not set" if default in (None, "", {}, [], ()) else default
    if spec.kind in ("list", "paths") and isinstance(shown, list | tuple):
        shown = ", ".join(map(str, shown))
    help_text = f"{spec.help} ({allowed_text(spec)}; default: {shown})".replace("%", "%%")
    if spec.kind == "bool":
        group.add_argument(
            spec.flag,
            dest=f"param_{spec.name}",
            default=None,
            action=argparse.BooleanOptionalAction,
            help=help_text,
        )
    else:
        group.add_argument(spec.flag, dest=f"param_{spec.name}", metavar="VALUE", help=help_text)


def positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return value
