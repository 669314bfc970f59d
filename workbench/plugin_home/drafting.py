"""How a generating process finds the drafter that a plugin offers."""

from __future__ import annotations

from workbench.catalogue_entry import DrafterEntry
from workbench.engines.request import DraftOptions
from workbench.home import Home
from workbench.jobs.loading import FILE_PREFIX
from workbench.plugin_home.finding import site_of


def draft_of(home: Home, entry: DrafterEntry, tokens: int = 4) -> DraftOptions:
    """Guesses by a drafter of a plugin, with the place that the plugin is imported from.

    Args:
        tokens: How many to guess at a time.
    """
    is_file = entry.plugin.startswith(FILE_PREFIX)
    place = home.plugins if is_file else site_of(home, entry.plugin)
    return DraftOptions(
        kind="plugin", plugin=entry.plugin, name=entry.name, path=str(place or ""), tokens=tokens
    )
