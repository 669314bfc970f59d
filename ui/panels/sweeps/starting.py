"""The way from a page's form to a sweep that runs."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from ui.context import AppContext
from ui.panels.sweeps.new_dialog import NewSweepDialog, SweepSubject
from workbench.cluster.sweep_start import missing_ray

#: The Jobs page takes this with a sweep's id, and shows the sweep.
SWEEP = "sweep"


def ask_for_sweep(context: AppContext, subject: SweepSubject, parent: QWidget) -> None:
    """Let a person fill in a sweep; one that is started is shown where sweeps are."""
    missing = missing_ray()
    if missing is not None:
        context.message.emit("warn", str(missing))
        return
    dialog = NewSweepDialog(context.session, context.sweeps, subject, parent)
    dialog.exec()
    started = dialog.sweep
    dialog.deleteLater()
    if started is not None:
        context.open_page.emit("jobs", (SWEEP, started.id))
