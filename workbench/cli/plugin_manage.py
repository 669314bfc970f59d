"""`tenfold plugin list, install, link, remove, enable, disable, environments`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from workbench.catalogue_entry import PluginRecord
from workbench.cli.answer import Answer, size, table
from workbench.environments import environment
from workbench.environments.environment import Environment
from workbench.environments.in_use import keys_in_use
from workbench.errors import UsageError
from workbench.home import Home
from workbench.plugin_home import installing
from workbench.plugin_home.choices import set_enabled
from workbench.plugin_home.facts import PackageFacts
from workbench.plugin_home.fetching import fetch
from workbench.plugin_home.process import installed_with_environment, plugin_named
from workbench.session import Session

_KINDS = {
    "ours": "Tenfold",
    "environment": "environment",
    "installed": "installed",
    "linked": "linked",
    "file": "file",
}


def add_verbs(actions: Any, common: argparse.ArgumentParser) -> None:
    """Add the verbs that manage plugins to the group `tenfold plugin`."""
    listed = actions.add_parser("list", help="all plugins and what each offers", parents=[common])
    listed.set_defaults(command=_list)
    install = actions.add_parser(
        "install", help="install a wheel, a folder, a file, or a package by name", parents=[common]
    )
    install.add_argument("what", help="a path, or a package's name such as tenfold-extra==1.2")
    install.add_argument("--yes", action="store_true", help="agree without being asked")
    install.add_argument("--show", action="store_true", help="only say what it is")
    install.set_defaults(command=_install)
    link = actions.add_parser(
        "link", help="use the folder of a plugin that you develop where it lies", parents=[common]
    )
    link.add_argument("folder", type=Path)
    link.set_defaults(command=_link)
    for verb, help_text, command in (
        ("remove", "remove a plugin that was installed, linked or put into the home", _remove),
        ("enable", "switch a plugin on", _enable),
        ("disable", "switch a plugin off: it is not imported, and offers nothing", _disable),
    ):
        parser = actions.add_parser(verb, help=help_text, parents=[common])
        parser.add_argument("name", help="as `tenfold plugin list` shows it")
        parser.set_defaults(command=command)
    kept = actions.add_parser(
        "environments", help="environments of their own that jobs run in", parents=[common]
    )
    kept.add_argument("--remove", metavar="KEY", help="delete one; it is made anew when a job needs it")
    kept.set_defaults(command=_environments)


def _list(home: Home, _arguments: argparse.Namespace) -> Answer:
    with Session.open(home, supervise=False) as session:
        plugins = session.catalogue.load().plugins
    rows = [
        (
            each.title,
            each.version or "-",
            _KINDS[each.kind],
            _state(each),
            ", ".join(_offered(each)) or "-",
        )
        for each in plugins
    ]
    lines = [table(["NAME", "VERSION", "FROM", "STATE", "OFFERS"], rows)]
    lines += [f"{each.title}: {each.failure.reason}" for each in plugins if each.failure is not None]
    return Answer("\n".join(lines), {"plugins": [each.model_dump(mode="json") for each in plugins]})


def _install(home: Home, arguments: argparse.Namespace) -> Answer:
    what: str = arguments.what
    is_path = Path(what).expanduser().exists() or "/" in what or "\\" in what
    home.create()
    facts = installing.inspect(Path(what)) if is_path else fetch(installing.drafts(home), what, line=_tell)
    described = describe(facts)
    if arguments.show:
        return Answer(described, {"facts": facts.model_dump(mode="json")})
    if not arguments.yes:
        _ask(described, arguments)
    elif not arguments.json:
        sys.stderr.write(described + "\n")
    done = installed_with_environment(home, facts, _tell)
    return Answer(done, {"installed": facts.name, "version": facts.version, "message": done})


def _link(home: Home, arguments: argparse.Namespace) -> Answer:
    facts = installing.link(home.create(), arguments.folder)
    text = f"{facts.name} is used from {facts.path}: each job runs what the folder holds then."
    return Answer(text, {"linked": facts.name, "folder": str(facts.path)})


def _remove(home: Home, arguments: argparse.Namespace) -> Answer:
    done = installing.remove(home, plugin_named(home, arguments.name))
    return Answer(done, {"removed": arguments.name, "message": done})


def _enable(home: Home, arguments: argparse.Namespace) -> Answer:
    return _switched(home, arguments.name, enabled=True)


def _disable(home: Home, arguments: argparse.Namespace) -> Answer:
    return _switched(home, arguments.name, enabled=False)


def _switched(home: Home, name: str, *, enabled: bool) -> Answer:
    plugin = plugin_named(home, name)
    set_enabled(home, plugin.name, enabled=enabled)
    word = "on" if enabled else "off"
    return Answer(f"{plugin.title} is switched {word}.", {"plugin": plugin.name, "enabled": enabled})


def _environments(home: Home, arguments: argparse.Namespace) -> Answer:
    if arguments.remove:
        with Session.open(home, supervise=False) as session:
            gone = environment.remove(home, arguments.remove, in_use=keys_in_use(session.board))
        return Answer(f"Removed: {size(gone.size_bytes)}.", {"removed": gone.key})
    found = environment.environments(home)
    rows = [(each.key, size(each.size_bytes), ", ".join(each.requirements)) for each in found]
    text = table(["KEY", "SIZE", "FOR"], rows) if rows else "No job has needed an environment of its own yet."
    return Answer(text, {"environments": [_environment(each) for each in found]})


def describe(facts: PackageFacts) -> str:
    """What a person reads before agreeing."""
    named = f"{facts.name} {facts.version}".strip()
    lines = [named, facts.summary, ""]
    files = f"{len(facts.files)} files, {size(facts.size_bytes)}" if facts.files else "known once it is built"
    for title, value in (
        ("author", facts.author or "not named"),
        ("licence", facts.licence or "not named"),
        ("offers", ", ".join(f"{each.name} ({each.module})" for each in facts.entry_points)),
        ("requires", ", ".join(facts.requires) or "nothing"),
        ("of its own", f"{', '.join(facts.missing)}, in an environment of its own" if facts.missing else ""),
        ("files", files),
        ("from", str(facts.path)),
        ("sha256", facts.digest),
    ):
        lines += [f"  {title:12}{value}"] if value else []
    if facts.builds:
        lines += ["", "Installing it runs the build program that its pyproject.toml names."]
    return "\n".join([*lines, "", installing.RIGHTS])


def _ask(described: str, arguments: argparse.Namespace) -> None:
    if arguments.json or not sys.stdin.isatty():
        raise UsageError(
            f"{described}\nNobody was here to agree.", remedy="Add --yes if you trust it, or --show to look."
        )
    sys.stderr.write(f"{described}\nInstall it? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().casefold() not in ("y", "yes"):
        raise UsageError("Nothing was installed.")


def _offered(plugin: PluginRecord) -> list[str]:
    return [each.name for each in plugin.offered]


def _state(plugin: PluginRecord) -> str:
    if not plugin.enabled:
        return "off"
    return "failed" if plugin.failure is not None else "on"


def _environment(each: Environment) -> dict[str, Any]:
    return each.model_dump(mode="json")


def _tell(text: str) -> None:
    sys.stderr.write(f"{text}\n")
