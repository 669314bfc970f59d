"""Hands the way to a model over as one script."""

from __future__ import annotations

import os
from pathlib import Path

from workbench.errors import UsageError
from workbench.export.recipe_chain import chain_of
from workbench.export.recipe_script import render_recipe
from workbench.home import Home
from workbench.library.library import Library

#: What the file is called where nothing else is said.
FILE_NAME = "recipe.py"


def export_recipe(
    home: Home, library: Library, model: str, out: Path, *, begin: str = ""
) -> tuple[Path, int]:
    """Write the jobs that made a model as one script. Returns the file, and how many steps it has.

    Args:
        model: The model's id or name.
        begin: The id or name of the model that the recipe starts from; empty for what was not made here.

    Raises:
        UsageError: It was not made here, its steps don't suit one script, or the file can't be written.
        NotFoundError: There is no such model, or a job on the way was removed.
    """
    record = library.get(model)
    chain = chain_of(home, library, record, library.get(begin) if begin else None)
    text = render_recipe(chain)
    target = out.expanduser()
    try:
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"The recipe can't be written to {target}: {os.strerror(error.errno or 0)}.",
            remedy="Choose another place.",
        ) from error
    return target, len(chain.links)
