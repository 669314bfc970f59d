"""What the command palette offers: pages and actions, then models and jobs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from PySide6.QtGui import QAction

from ui import format
from ui.context import AppContext
from ui.page_list import PAGES
from ui.panels.shell.palette import Command
from ui.panels.shell.shortcuts import keys_of
from ui.widgets.job_words import state_word
from workbench.errors import WorkbenchError

#: Jobs older than these are found on their page.
_JOBS = 500


def commands_of(
    context: AppContext,
    window: Sequence[QAction],
    page: Sequence[QAction],
    open_page: Callable[[str, object], object],
) -> list[Command]:
    """Everything that can be chosen now, in the order in which it stands while nothing is typed."""
    icons = {f"Go to {entry.title}": entry.icon for entry in PAGES}
    found = [_of_action(action, icons.get(action.text(), "command"), "this page") for action in page]
    found += [
        _of_action(action, icons.get(action.text(), "command"), "page" if action.text() in icons else "")
        for action in window
    ]
    listed = [command for command in found if command is not None]
    try:
        listed += [
            Command(
                record.name,
                f"model · {format.bytes(record.size_bytes)}",
                "models",
                partial(open_page, "models", record.id),
            )
            for record in context.session.library.list()
        ]
        listed += [
            Command(job.title, f"job · {state_word(job.state)}", "jobs", partial(open_page, "jobs", job.id))
            for job in context.session.board.list(limit=_JOBS)
        ]
    except WorkbenchError as error:
        context.message.emit("bad", str(error))
    return listed


def _of_action(action: QAction, icon: str, kind: str) -> Command | None:
    if not action.isEnabled() or not action.isVisible() or action.text() == "Command palette":
        return None
    return Command(action.text().replace("&", ""), kind, icon, action.trigger, keys_of(action))
