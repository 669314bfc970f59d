"""A directive for Sphinx that lists the operations of the catalogue: `{operations}`."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from workbench.catalogue import Catalogue
from workbench.catalogue_entry import OperationEntry
from workbench.home import Home
from workbench.model import FORMAT_TITLES
from workbench.params import FieldSpec, allowed_text

_SHIPPED = "plugins."


class Operations(SphinxDirective):
    """Every operation that ships: what it does, what it takes and makes, and its parameters."""

    def run(self) -> list[nodes.Node]:
        with tempfile.TemporaryDirectory(prefix="tenfold-docs-") as folder:
            contents = Catalogue(Home(Path(folder)).create()).load()
        shipped = [each for each in contents.operations if each.plugin.startswith(_SHIPPED)]
        ordered = sorted(shipped, key=lambda each: (each.group, each.title))
        text = "\n".join(
            line
            for group, entries in groupby(ordered, key=lambda each: each.group)
            for line in (f"## {group}", "", *(line for each in entries for line in _lines(each)))
        )
        return self.parse_text_to_nodes(text, allow_section_headings=True)


def _lines(entry: OperationEntry) -> Iterator[str]:
    """An operation in Markdown."""
    yield f"### {entry.title}"
    yield ""
    yield f"`tenfold run {entry.name}` · {_formats(entry)}"
    yield ""
    yield entry.documentation
    yield ""
    if entry.requires:
        yield f"Runs in an environment of its own, with {', '.join(f'`{each}`' for each in entry.requires)}."
        yield ""
    if entry.fields:
        yield "| parameter | default | what it does |"
        yield "| --- | --- | --- |"
        for field in entry.fields:
            yield f"| `{field.name}` | {_default(field)} | {_told(field)} |"
        yield ""


def _formats(entry: OperationEntry) -> str:
    """What it takes and makes, for example `GGUF → GGUF`."""
    titles: dict[str | None, str] = {**FORMAT_TITLES, "any": "any model", None: "nothing"}
    made = titles[entry.output] if entry.output is not None else "a file"
    return f"{titles[entry.input]} → {made}" + (f" · needs `{entry.backend}`" if entry.backend else "")


def _default(field: FieldSpec) -> str:
    if field.required:
        return "must be given"
    return f"`{_cell(str(field.default))}`" if field.default not in (None, "", [], {}) else "–"


def _told(field: FieldSpec) -> str:
    allowed = f" ({allowed_text(field)})" if field.kind != "text" else ""
    return _cell(f"{field.help}{allowed}")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def setup(app: Any) -> dict[str, bool]:
    app.add_directive("operations", Operations)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
