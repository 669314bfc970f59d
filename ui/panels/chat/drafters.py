"""The drafters that plugins offer, as the catalogue knows them; looked for while the Chat page is shown."""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer, Signal

from workbench.catalogue import Catalogue
from workbench.errors import WorkbenchError

_POLL_MS = 100


class PluginDrafters(QObject):
    """Signals:
    found: All drafters of the plugins that are switched on, as a tuple of `DrafterEntry`.
    failed: Carries a `WorkbenchError`.
    """

    found = Signal(tuple)
    failed = Signal(object)

    def __init__(self, catalogue: Catalogue, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._catalogue = catalogue
        self._timer = QTimer(self)
        self._timer.setInterval(_POLL_MS)
        self._timer.timeout.connect(self._poll)

    def look(self) -> None:
        """Look for them, in the catalogue's own processes; `found` tells when that is done."""
        self._catalogue.start_refresh()
        self._timer.start()
        self._poll()

    def rest(self) -> None:
        """Look no more."""
        self._timer.stop()

    def _poll(self) -> None:
        try:
            contents = self._catalogue.poll_refresh()
        except WorkbenchError as error:
            self._timer.stop()
            self.failed.emit(error)
            return
        if contents is not None:
            self._timer.stop()
            self.found.emit(
                tuple(d for plugin in contents.plugins if plugin.enabled for d in plugin.drafters)
            )
