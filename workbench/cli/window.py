"""`tenfold ui`: open the window."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
from typing import Any

from workbench.cli.answer import Answer
from workbench.errors import MissingExtraError
from workbench.home import Home


def add_to(commands: Any, common: argparse.ArgumentParser) -> None:
    parser = commands.add_parser("ui", help="open the window", parents=[common])
    parser.add_argument("--page", default="", help="the page to begin with")
    parser.set_defaults(command=_ui)


def _ui(home: Home, arguments: argparse.Namespace) -> Answer:
    if importlib.util.find_spec("PySide6") is None:
        raise MissingExtraError("The window (PySide6)", "ui")
    # By name: the engine room must be importable where no Qt is, and never depends on the window.
    app = importlib.import_module("ui.app")
    words = ["--home", str(home.root), *(["--page", arguments.page] if arguments.page else [])]
    return Answer("", {}, int(app.main(words)))
