"""Reads the command line, calls the command, and shows what it returns or what went wrong."""

from __future__ import annotations

import argparse
import json
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from workbench import __version__
from workbench.cli import (
    bench,
    chat,
    data,
    doctor,
    generate,
    jobs,
    models,
    operations,
    place,
    plugin,
    prove,
    run,
    serve,
    sweep,
    window,
)
from workbench.cli.answer import Answer
from workbench.errors import UsageError, WorkbenchError
from workbench.home import Home
from workbench.jobs import exits


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        0 done, 1 failed, 2 wrong use, 130 cancelled.
    """
    arguments = _parser().parse_args(sys.argv[1:] if argv is None else argv)
    home = Home.find(arguments.home)
    try:
        answer: Answer = arguments.command(home, arguments)
    except WorkbenchError as error:
        return _failed(error, as_json=arguments.json)
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted.\n")
        return exits.CANCELLED
    except BrokenPipeError:
        # The reader (`head`, for example) had enough.
        sys.stderr.close()
        return exits.DONE
    except Exception as error:  # noqa: BLE001 - the last place that can say anything
        unforeseen = WorkbenchError(
            f"Tenfold failed in a way that it does not explain: {type(error).__name__}: {error}",
            remedy="Please report this.",
            details=traceback.format_exc(),
        )
        unforeseen.kind = "bug"
        return _failed(unforeseen, as_json=arguments.json)
    _show(answer, as_json=arguments.json)
    return answer.code


def _show(answer: Answer, *, as_json: bool) -> None:
    text = json.dumps(answer.data, ensure_ascii=False, default=str) if as_json else answer.text
    if text:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


def _failed(error: WorkbenchError, *, as_json: bool) -> int:
    if as_json:
        said = {"kind": error.kind, "message": error.message, "remedy": error.remedy}
        sys.stdout.write(json.dumps({"error": said}, ensure_ascii=False) + "\n")
    else:
        sys.stderr.write(f"{error}\n")
    if error.details and error.kind == "bug":
        sys.stderr.write(error.details + "\n")
    return exits.USAGE if isinstance(error, UsageError) else exits.FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tenfold",
        description="A workbench for local language models. Every command works on one home folder.",
    )
    parser.add_argument("--version", action="version", version=f"tenfold {__version__}")
    common = _common()
    # Taken before the command and after it; a default here would overwrite what stands after it.
    parser.add_argument(
        "--home", type=Path, default=None, metavar="DIR", help="the home folder (or TENFOLD_HOME)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    first = (models, run, sweep, prove, jobs, operations, plugin)
    for part in (*first, place, chat, generate, serve, data, bench, doctor, window):
        part.add_to(commands, common)
    return parser


def _common() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--home",
        type=Path,
        default=argparse.SUPPRESS,
        metavar="DIR",
        help="the home folder (or TENFOLD_HOME)",
    )
    common.add_argument(
        "--json",
        action="store_true",
        default=argparse.SUPPRESS,
        help="print one JSON object and nothing else",
    )
    return common
