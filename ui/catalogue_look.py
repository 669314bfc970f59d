"""Looks into the catalogue for a page, as long as the page is shown."""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer, Signal

from workbench.catalogue import Catalogue
from workbench.errors import WorkbenchError

_POLL_MS = 100


class CatalogueLook(QObject):
    """Signals:
    found: The `CatalogueContents`, once every plugin has been looked at.
    failed: Carries a `WorkbenchError`.
    """

    found = Signal(object)
    failed = Signal(object)

    def __init__(self, catalogue: Catalogue, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._catalogue = catalogue
        self._is_due = True
        self._timer = QTimer(self)
        self._timer.setInterval(_POLL_MS)
        self._timer.timeout.connect(self._poll)

    @property
    def is_due(self) -> bool:
        """Whether something may be there that was not found yet: a look was not ended, or plugins changed."""
        return self._is_due or self._catalogue.has_changed()

    def begin(self) -> None:
        """Look at plugins that are new or have changed, in the catalogue's own processes."""
        self._is_due = True
        self._catalogue.start_refresh()
        self._timer.start()
        self._poll()

    def rest(self) -> None:
        """Look no more; what was not found yet is due when the page is shown again."""
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
            self._is_due = False
            self.found.emit(contents)
