"""Says what a model on disk is, from names and headers alone. Never loads weights, never runs anything."""

from __future__ import annotations

from pathlib import Path

from workbench.errors import ModelFileError
from workbench.library.adapter_facts import adapter_folder_facts
from workbench.library.folder_facts import folder_facts
from workbench.library.gguf_facts import gguf_facts
from workbench.library.layout import Layout, find_layout
from workbench.library.sniff import unreadable
from workbench.model import ModelFacts


def inspect(path: Path) -> ModelFacts:
    """The facts of the model or adapter that a path names: a GGUF file or part, a folder, or a file in one.

    Takes milliseconds and bounded memory, whatever the files claim.

    Raises:
        UnsafeModelError: It is a pickle checkpoint.
        ModelFileError: It is gone, unreadable, damaged, incomplete, or no model.
    """
    return inspect_layout(layout_of(path))


def layout_of(path: Path) -> Layout:
    """Which files make the model; see `inspect` for what may be named and the errors."""
    try:
        return find_layout(path.expanduser().absolute())
    except (OSError, ValueError, RuntimeError) as error:
        raise _stranger(path, error) from error


def inspect_layout(layout: Layout) -> ModelFacts:
    """The facts of the model that these files make."""
    try:
        match layout.kind:
            case "gguf":
                return gguf_facts(layout)
            case "folder":
                return folder_facts(layout)
            case "adapter":
                return adapter_folder_facts(layout)
    except (OSError, ValueError) as error:
        # A file that vanishes or changes between two looks at it.
        raise _stranger(layout.path, error) from error


def _stranger(path: Path, error: Exception) -> ModelFileError:
    if isinstance(error, OSError | ValueError):
        return unreadable(path, error)
    return ModelFileError(path, "the path can't be resolved.", details=str(error))
