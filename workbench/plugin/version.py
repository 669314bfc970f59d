"""The version of the surface for plugin authors, and whether a plugin was made for another one."""

from __future__ import annotations

import ast

from workbench.errors import PluginError

#: The first number changes when a plugin must be changed, the second when something was added.
API_VERSION = "1.2"

#: A plugin may state the version that it was made for: `TENFOLD_API = "1.2"` at the top of its module.
VARIABLE = "TENFOLD_API"


def stated_version(source: str) -> str | None:
    """The version that a plugin's source states; it is read, not run, since a stranger's may not even import.

    >>> stated_version('TENFOLD_API = "2.0"')
    '2.0'
    >>> stated_version("import os") is None
    True
    """
    try:
        statements = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None  # what is wrong with it, its import will say
    for statement in statements:
        if isinstance(statement, ast.Assign | ast.AnnAssign) and isinstance(statement.value, ast.Constant):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            if any(isinstance(each, ast.Name) and each.id == VARIABLE for each in targets):
                return str(statement.value.value)
    return None


def check_version(plugin: str, stated: str) -> None:
    """Refuse a plugin that was made for a surface that this Tenfold does not have.

    >>> check_version("copy", "1.0")  # made for an earlier one that is contained in ours

    Raises:
        PluginError: Its message says which of the two is too old.
    """
    try:
        major, minor = (int(part) for part in stated.split("."))
    except ValueError:
        raise PluginError(
            f"{plugin} states {VARIABLE} = {stated!r:.40}, which is no version.",
            remedy=f"It is two numbers, for example {API_VERSION!r}.",
        ) from None
    own_major, own_minor = (int(part) for part in API_VERSION.split("."))
    if major == own_major and minor <= own_minor:
        return
    newer = (major, minor) > (own_major, own_minor)
    raise PluginError(
        f"{plugin} was made for version {stated} of the surface for plugins; this Tenfold has {API_VERSION}.",
        remedy="Update Tenfold, or install an older version of the plugin."
        if newer
        else "Install a newer version of the plugin.",
    )
