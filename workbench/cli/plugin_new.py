"""`tenfold plugin new`: write the package of a new plugin."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from workbench.cli.answer import Answer
from workbench.errors import DiskFullError
from workbench.home import Home
from workbench.plugin.scaffold import write_package


def add_verb(actions: Any, common: argparse.ArgumentParser) -> None:
    parser = actions.add_parser(
        "new", help="write a plugin that works, to make your own from", parents=[common]
    )
    parser.add_argument("name", help="small letters, digits and dashes, for example round-weights")
    parser.add_argument(
        "--folder", type=Path, default=Path(), metavar="DIR", help="where its folder is made (here)"
    )
    parser.set_defaults(command=_new)


def _new(_home: Home, arguments: argparse.Namespace) -> Answer:
    try:
        made = write_package(arguments.name, arguments.folder.expanduser().absolute())
    except OSError as error:
        raise DiskFullError(arguments.folder) from error
    steps = (
        f"Written to {made}. In that folder:",
        "  python -m pytest         runs its test, with real jobs on a tiny model",
        "  tenfold plugin check .   says whether it does what Tenfold relies on",
        "  tenfold plugin link .    puts it into the window while you work on it",
    )
    return Answer("\n".join(steps), {"path": str(made), "operation": arguments.name})
