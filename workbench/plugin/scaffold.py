"""Writes the package of a new plugin, which works at once: `tenfold plugin new`."""

from __future__ import annotations

import keyword
import re
import sys
from importlib.resources import files
from pathlib import Path
from string import Template

from workbench import __version__
from workbench.errors import UsageError
from workbench.plugin.version import API_VERSION

#: Each file of a package, and the template that it is written from; `{module}` stands for the module's name.
_FILES = {
    "src/{module}/__init__.py": "module.txt",
    "tests/test_{module}.py": "test.txt",
    "pyproject.toml": "pyproject.txt",
    "README.md": "readme.txt",
}
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*\Z")
_LONGEST = 60


def write_package(name: str, folder: Path) -> Path:
    """Write a package with one module, one test, `pyproject.toml` and README.

    Args:
        name: The name of the package and of its operation: small letters, digits and dashes.
        folder: Where its folder is made.

    Returns:
        The folder of the package.

    Raises:
        UsageError: The name can't be one, or there is such a folder already.
    """
    module = name.replace("-", "_")
    taken = module in sys.stdlib_module_names or module in ("workbench", "plugins", "ui", "tenfold")
    if not _NAME.match(name) or len(name) > _LONGEST or keyword.iskeyword(module):
        raise UsageError(
            f"{name!r} can't be a plugin's name.",
            remedy="Use small letters, digits and dashes, for example round-weights.",
        )
    if taken:
        raise UsageError(f"“{name}” is the name of another module.", remedy="Choose another.")
    target = folder / name
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError(f"{target} exists already.", remedy="Choose another name, or another --folder.")
    title = name.replace("-", " ").capitalize()
    named = {
        "name": name,
        "title": title,
        "module": module,
        "function": module,
        "params": "".join(part.capitalize() for part in name.split("-")) + "Params",
        "api": API_VERSION,
        "tenfold": __version__,
    }
    templates = files("workbench.plugin") / "template"
    for place, template in _FILES.items():
        path = target / place.format(module=module)
        path.parent.mkdir(parents=True, exist_ok=True)
        text = Template((templates / template).read_text(encoding="utf-8")).substitute(named)
        path.write_text(text, encoding="utf-8", newline="\n")
    return target
