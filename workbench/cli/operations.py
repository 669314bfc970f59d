"""`tenfold operations`: what the plugins offer."""

from __future__ import annotations

import argparse
from typing import Any

from workbench.cli.answer import Answer, table
from workbench.home import Home
from workbench.params import FieldSpec, allowed_text
from workbench.session import Session


def add_to(commands: Any, common: argparse.ArgumentParser) -> None:
    parser = commands.add_parser("operations", help="what can be done to a model", parents=[common])
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    actions.add_parser("list", help="list all", parents=[common]).set_defaults(command=_list)
    show = actions.add_parser("show", help="one with its parameters", parents=[common])
    show.add_argument("name")
    show.set_defaults(command=_show)


def _list(home: Home, _arguments: argparse.Namespace) -> Answer:
    with Session.open(home, supervise=False) as session:
        contents = session.catalogue.load()
    rows = [
        (each.name, each.group, f"{each.input or 'nothing'} → {each.output or 'no model'}", each.summary)
        for each in contents.operations
    ]
    lines = [table(["NAME", "GROUP", "FROM → TO", "WHAT IT DOES"], rows)]
    lines += [f"failed: {each.plugin} ({each.source}): {each.reason}" for each in contents.failures]
    data = {
        "operations": [each.model_dump(mode="json") for each in contents.operations],
        "failures": [each.model_dump(mode="json") for each in contents.failures],
    }
    return Answer("\n".join(lines), data)


def _show(home: Home, arguments: argparse.Namespace) -> Answer:
    with Session.open(home, supervise=False) as session:
        entry = session.catalogue.operation(arguments.name)
    lines = [f"{entry.title} ({entry.name}), from {entry.source}", "", entry.documentation, ""]
    for field in entry.fields:
        lines += _field(field)
    return Answer("\n".join(lines), entry.model_dump(mode="json"))


def _field(field: FieldSpec) -> list[str]:
    default = (
        "must be given"
        if field.required
        else f"default {field.default if field.default not in (None, '') else 'not set'}"
    )
    head = f"  {field.name}: {field.help}"
    takes = f"      {allowed_text(field)}; {default}"
    if field.kind != "choice" or not any(choice.help for choice in field.choices):
        return [head, takes]
    lines = [f"{head} ({default})"]
    for choice in field.choices:
        bits = f"{choice.facts['bits']:.2f} bits" if "bits" in choice.facts else ""
        lines.append(f"      {choice.value:12}{bits:12}{choice.help}".rstrip())
    return lines
