"""The pages of the window: their order, their names, and where each one's module is."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Protocol

from PySide6.QtGui import QAction
from PySide6.QtWidgets import QVBoxLayout, QWidget

from ui.context import AppContext
from ui.widgets.message import MessageBar
from workbench.errors import WorkbenchError


class Page(Protocol):
    """What the window asks of a page, which is a `QWidget` too."""

    name: str
    title: str
    icon: str

    def refresh(self) -> None:
        """Read everything anew."""

    def open(self, argument: object) -> None:
        """Show what the argument names."""

    def actions(self) -> list[QAction]:
        """What the palette and the shortcuts sheet offer of this page."""


@dataclass(frozen=True, slots=True)
class PageEntry:
    """One page, known before its module is imported."""

    name: str
    title: str
    icon: str
    module: str
    class_name: str
    at_foot: bool = False


PAGES = (
    PageEntry("models", "Models", "models", "ui.pages.models", "ModelsPage"),
    PageEntry("chat", "Chat", "chat", "ui.pages.chat", "ChatPage"),
    PageEntry("optimize", "Optimize", "optimize", "ui.pages.optimize", "OptimizePage"),
    PageEntry("finetune", "Fine-tune", "finetune", "ui.pages.finetune", "FinetunePage"),
    PageEntry("jobs", "Jobs", "jobs", "ui.pages.jobs", "JobsPage"),
    PageEntry("compare", "Compare", "scales", "ui.pages.compare", "ComparePage"),
    PageEntry("plugins", "Plugins", "plugins", "ui.pages.plugins", "PluginsPage"),
    PageEntry("settings", "Settings", "settings", "ui.pages.settings", "SettingsPage", at_foot=True),
)


def make_page(entry: PageEntry, context: AppContext) -> QWidget:
    """Import a page's module and make the page; one that can't be made says so in its place."""
    try:
        module = importlib.import_module(entry.module)
        page: QWidget = getattr(module, entry.class_name)(context)
    except Exception as error:  # noqa: BLE001 - a broken page must leave the others usable
        return _BrokenPage(entry, error)
    return page


class _BrokenPage(QWidget):
    """Stands where a page could not be made."""

    def __init__(self, entry: PageEntry, error: Exception) -> None:
        import traceback

        super().__init__()
        self.name, self.title, self.icon = entry.name, entry.title, entry.icon
        remedy = error.remedy if isinstance(error, WorkbenchError) else "The other pages work."
        what = error.message if isinstance(error, WorkbenchError) else f"{type(error).__name__}: {error}"
        details = "".join(traceback.format_exception(error))
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 20, 24, 20)
        column.addWidget(MessageBar("bad", f"The page {entry.title} can’t be shown. {what}", remedy, details))
        column.addStretch(1)

    def refresh(self) -> None:
        return

    def open(self, argument: object) -> None:
        return
