"""`tenfold plugin check`: run the conformance check on a plugin's operations."""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from workbench.cli.answer import Answer
from workbench.errors import NotFoundError, UsageError
from workbench.home import Home
from workbench.jobs import exits
from workbench.session import Session


def add_verb(actions: Any, common: argparse.ArgumentParser) -> None:
    parser = actions.add_parser(
        "check",
        help="run a plugin's jobs for real, and say whether it does what Tenfold relies on",
        parents=[common],
        description="Runs each operation on a tiny model made on the spot: twice to its end, and until it is "
        "cancelled. Nothing is put into your home.",
    )
    parser.add_argument("plugin", help="its name, its module, a file NAME.py, or the folder of its package")
    parser.add_argument("--operation", metavar="NAME", help="only this one; all that it offers otherwise")
    parser.add_argument("--model", metavar="MODEL", help="a file, a folder, or a model of the library to use")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="a parameter; repeatable"
    )
    parser.set_defaults(command=_check)


def _check(home: Home, arguments: argparse.Namespace) -> Answer:
    # Imported here: it brings the readers of all formats, which other commands do without.
    from workbench.plugin.testing import Conformance, check_operation
    from workbench.plugin.testing.subject import offered

    values = _values(arguments.set)
    model = _model(home, arguments.model) if arguments.model else None
    with tempfile.TemporaryDirectory(prefix="tenfold-check-", ignore_cleanup_errors=True) as temporary:
        root = Path(temporary).resolve()
        names = [entry.name for entry in offered(arguments.plugin, Home(root / "look").create())]
        if arguments.operation is not None and arguments.operation not in names:
            raise NotFoundError(
                f"{arguments.plugin} offers no operation “{arguments.operation}”.",
                remedy=f"It offers: {', '.join(names)}.",
            )
        if not names:
            return Answer(
                "It offers no operation, so no job was run. Metrics, readers and losses are checked in a "
                "test, by `workbench.plugin.testing`.",
                {"operations": []},
            )
        found: list[Conformance] = []
        for name in names if arguments.operation is None else [arguments.operation]:
            sys.stderr.write(f"Checking {name} …\n")
            found.append(
                check_operation(
                    arguments.plugin, name, folder=root / str(len(found)), model=model, values=values
                )
            )
    failed = any(each.failed for each in found)
    data = {"operations": [asdict(each) for each in found]}
    return Answer("\n".join(each.text() for each in found), data, exits.FAILED if failed else exits.DONE)


def _values(pairs: list[str]) -> dict[str, str]:
    values = {}
    for pair in pairs:
        name, sign, value = pair.partition("=")
        if not sign:
            raise UsageError(f"--set takes KEY=VALUE, not {pair!r}.")
        values[name.strip().replace("-", "_")] = value
    return values


def _model(home: Home, named: str) -> Path:
    path = Path(named).expanduser()
    if path.exists():
        return path.absolute()
    with Session.open(home, supervise=False) as session:
        return session.library.get(named).path
