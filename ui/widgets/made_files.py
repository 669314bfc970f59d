"""Offers a form's fields the files that finished jobs made."""

from __future__ import annotations

from ui import format
from ui.forms import ParamsForm
from workbench.catalogue_entry import OperationEntry
from workbench.jobs.made_files import MadeFile, files_made_by
from workbench.library.lineage import family
from workbench.session import Session


def offer_made_files(form: ParamsForm, entry: OperationEntry, session: Session, model_id: str) -> None:
    """Offer what was made from a model or its kin, where a parameter takes such a file.

    Raises:
        WorkbenchError: The library or the jobs can't be read.
    """
    wanted = [field for field in entry.fields if field.made_by]
    if not wanted:
        return
    kin = family(session.library.list(), model_id)
    for field in wanted:
        made = files_made_by(session.board, field.made_by)
        form.offer(field.name, [(_told(each), each.path) for each in made if each.model_id in kin])


def _told(made: MadeFile) -> str:
    """How a file is offered: its job and when it was made."""
    return f"{made.title} · {format.date(made.made_at)}"
