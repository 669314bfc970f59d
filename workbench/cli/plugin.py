"""`tenfold plugin`: write, check, install and switch plugins."""

from __future__ import annotations

import argparse
from typing import Any

from workbench.cli import plugin_check, plugin_manage, plugin_new


def add_to(commands: Any, common: argparse.ArgumentParser) -> None:
    parser = commands.add_parser("plugin", help="what Tenfold can do beyond itself", parents=[common])
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    plugin_new.add_verb(actions, common)
    plugin_check.add_verb(actions, common)
    plugin_manage.add_verbs(actions, common)
