"""How Sphinx makes the documentation: `make docs`."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from workbench import __version__

project = "Tenfold"
copyright = "the authors of Tenfold"
release = version = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "operations",
]
html_theme = "furo"
html_title = f"Tenfold {__version__}"
html_static_path: list[str] = []
exclude_patterns: list[str] = []

myst_heading_anchors = 3

# The public surface states its order itself, and types stand beside what is said of each argument.
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
# What pydantic adds to every model says nothing about ours.
autodoc_default_options = {
    "exclude-members": "model_config, model_fields, model_computed_fields, model_post_init",
}
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
