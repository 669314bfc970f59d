"""Has this process read further kinds of files by what the plugins of a home read."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from workbench.catalogue import Catalogue
from workbench.catalogue_entry import ReaderEntry
from workbench.data.plugin_reader import PluginReader, use_data_readers
from workbench.data.reading import KNOWN_SUFFIXES
from workbench.environments.environment import find
from workbench.home import Home
from workbench.jobs.loading import FILE_PREFIX
from workbench.plugin_home.finding import site_of


def use_readers_for(paths: Iterable[Path], home: Home, catalogue: Catalogue) -> None:
    """Make ready to read these files; asks no plugin where Tenfold reads all of them itself."""
    if any(path.suffix.lower() not in KNOWN_SUFFIXES for path in paths):
        use_data_readers(_placed(each, home) for each in catalogue.readers())


def _placed(entry: ReaderEntry, home: Home) -> PluginReader:
    place = home.plugins if entry.plugin.startswith(FILE_PREFIX) else site_of(home, entry.plugin)
    own = find(home, entry.requires) if entry.requires else None
    return PluginReader(
        name=entry.name,
        title=entry.title,
        plugin=entry.plugin,
        suffixes=entry.suffixes,
        folders=(str(place),) if place is not None else (),
        python=str(own.python) if own is not None else "",
    )
