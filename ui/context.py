"""What every page is given: the open home, the theme, and the signals that pages hear and send."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from ui.theme import Theme
from workbench.cluster.sweep_start import SweepStarter
from workbench.session import Session


class AppContext(QObject):
    """Passed to the constructor of each page; there is no global.

    Signals:
        models_changed: The library holds other models now, or they have other names.
        jobs_changed: `list[JobUpdate]` of jobs that moved on.
        reading: The machine as `workbench.hardware.Reading`, once a second.
        hashed: `list[HashProgress]` of models whose hash is being computed.
        plugins_changed: Plugins were added, removed, edited or switched: what they offer may be other now.
        message: Something to tell: its kind (`good`, `warn`, `bad`, `info`) and the sentence.
        open_page: Show a page by its name, and there what the argument names (or None).
        preferences_changed: The person chose something else; carries `Preferences`.
        closing: The window is about to close; who owns a process ends it now.
    """

    models_changed = Signal()
    jobs_changed = Signal(list)
    reading = Signal(object)
    hashed = Signal(list)
    plugins_changed = Signal()
    message = Signal(str, str)
    open_page = Signal(str, object)
    preferences_changed = Signal(object)
    closing = Signal()

    def __init__(self, session: Session, theme: Theme, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.theme = theme
        self.sweeps = SweepStarter(session.home)
