"""Looks at, installs and removes plugins for a window: `python -m workbench.plugin_home.process VERB …`.

One JSON object a line: `{"line"}` of what an installer says, then `{"facts"}` or `{"done"}`, or `{"error"}`.
A process of its own, because an installer takes its time and a build program may do anything.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from workbench.environments.making import ensure
from workbench.errors import NotFoundError, WorkbenchError
from workbench.home import Home
from workbench.plugin_home import installing
from workbench.plugin_home.facts import PackageFacts
from workbench.plugin_home.fetching import fetch
from workbench.plugin_home.finding import FoundPlugin, find_plugins
from workbench.plugin_home.installed import installed_packages


def main(argv: Sequence[str]) -> int:
    """Do one thing for the home that `TENFOLD_HOME` names."""
    verb, *rest = argv
    try:
        answer = _VERBS[verb](Home.find().create(), rest)
    except WorkbenchError as error:
        _say({"error": {"kind": error.kind, "message": error.message, "remedy": error.remedy}})
        return 1
    _say(answer)
    return 0


def installed_with_environment(home: Home, shown: PackageFacts, tell: Callable[[str], None]) -> str:
    """Install what was shown, and make the environment that its jobs need; return what was done, in words.

    The package stays installed where the environment can't be made: its first job tries again.

    Raises:
        WorkbenchError: As `installing.install`.
    """
    name = installing.install(home, shown, line=tell)
    done = f"{name} {shown.version}".strip() + " is installed."
    package = next((each for each in installed_packages(home) if each.name == name), None)
    missing = package.missing() if package is not None else ()
    if missing:
        try:
            ensure(home, missing, _Told(tell))
        except WorkbenchError as error:
            return f"{done} Its environment could not be made yet: {error}"
    return done


def plugin_named(home: Home, name: str) -> FoundPlugin:
    """A plugin by its name in specs, its title, or its package's name.

    Raises:
        NotFoundError: There is none.
    """
    found = find_plugins(home)
    for plugin in found:
        if name in (plugin.name, plugin.title):
            return plugin
    for plugin in found:
        if name == plugin.package:
            return plugin
    known = ", ".join(each.title for each in found)
    raise NotFoundError(f"There is no plugin “{name}”.", remedy=f"There are: {known}.")


class _Told:
    """Passes on what the making of an environment reports; nobody can ask it to stop but by ending it."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell

    def log(self, text: str) -> None:
        self._tell(text)

    def progress(self, done: float, total: float, *, unit: str = "", label: str = "") -> None:
        self._tell(label)

    def check(self) -> None:
        return


def _inspect(_home: Home, words: Sequence[str]) -> dict[str, Any]:
    return _facts(installing.inspect(Path(words[0])))


def _fetch(home: Home, words: Sequence[str]) -> dict[str, Any]:
    return _facts(fetch(installing.drafts(home), words[0], line=_tell))


def _install(home: Home, words: Sequence[str]) -> dict[str, Any]:
    """PATH DIGEST: what lies at the path, if it is still what was shown."""
    shown = installing.inspect(Path(words[0])).model_copy(update={"digest": words[1]})
    return {"done": installed_with_environment(home, shown, _tell)}


def _remove(home: Home, words: Sequence[str]) -> dict[str, Any]:
    return {"done": installing.remove(home, plugin_named(home, words[0]))}


def _make_environment(home: Home, words: Sequence[str]) -> dict[str, Any]:
    """REQUIREMENT …: make the environment that holds them before a job needs it."""
    made = ensure(home, words, _Told(_tell))
    return {"done": f"The environment with {', '.join(made.requirements)} is ready."}


_VERBS: dict[str, Callable[[Home, Sequence[str]], dict[str, Any]]] = {
    "inspect": _inspect,
    "fetch": _fetch,
    "install": _install,
    "remove": _remove,
    "make-environment": _make_environment,
}


def _facts(facts: PackageFacts) -> dict[str, Any]:
    return {"facts": facts.model_dump(mode="json")}


def _tell(text: str) -> None:
    _say({"line": text})


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
