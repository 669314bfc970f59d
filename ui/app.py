"""Starts the window: reads the command line, opens the home, says plainly what keeps it from starting."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QApplication, QPushButton

from ui.crash import MessageDialog, Uncaught, start_log
from ui.theme import Theme
from workbench import __version__
from workbench.errors import HomeInUseError, WorkbenchError
from workbench.home import Home

_CANNOT_START = 1
_IN_USE = 3


def main(argv: Sequence[str] | None = None) -> int:
    """Open the window; return the exit code of the process."""
    arguments = _arguments(argv)
    home = Home.find(arguments.home)
    if arguments.screenshots is not None:
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    app = make_application()
    theme = Theme()
    theme.apply(app)
    if arguments.screenshots is not None:
        from ui.screenshots import take_all

        return take_all(app, theme, home, arguments.screenshots)
    start_log(home)
    Uncaught(home).install()
    try:
        return _run(app, theme, home, arguments.page)
    except HomeInUseError as error:
        return _in_use(home, error)
    except WorkbenchError as error:
        _show_failure(error)
        return _CANNOT_START
    except Exception as error:  # noqa: BLE001 - the last place that can tell a person why no window comes
        details = "".join(traceback.format_exception(error))
        remedy = "Start it from a terminal to see more, or name another home with --home."
        _show_failure(WorkbenchError(f"Tenfold could not start: {error}.", remedy=remedy, details=details))
        return _CANNOT_START


def make_application() -> QApplication:
    """The one application object, with its name and icon."""
    found = QApplication.instance()
    app = found if isinstance(found, QApplication) else QApplication(sys.argv[:1])
    QCoreApplication.setApplicationName("tenfold")
    QCoreApplication.setApplicationVersion(__version__)
    app.setApplicationDisplayName("")
    app.setDesktopFileName("tenfold")
    from ui.icons import icon

    app.setWindowIcon(icon("tenfold"))
    return app


def _run(app: QApplication, theme: Theme, home: Home, page: str) -> int:
    from ui.context import AppContext
    from ui.window import MainWindow
    from workbench.session import Session

    session = Session.open(home, supervise=True)
    try:
        theme.set_mode(session.settings.load().theme)
        window = MainWindow(AppContext(session, theme))
        window.open_page(page or window.kept_page)
        window.show()
        window.start()
        # Only who holds the home may answer to its name.
        from ui.single_instance import FirstInstance

        first = FirstInstance(home, window)
        first.raise_wanted.connect(window.raise_itself)
        code = app.exec()
        first.close()
        window.deleteLater()
        return code
    finally:
        session.close()


def _in_use(home: Home, error: HomeInUseError) -> int:
    from ui.single_instance import ask_first_to_raise, is_window_there

    if not is_window_there(home):
        _show_failure(error)
        return _IN_USE
    show = QPushButton("Show that window")
    show.setProperty("variant", "primary")
    show.setDefault(True)
    dialog = MessageDialog(
        "Tenfold is open already",
        error.message,
        "Its window is there. To open a second one, name another home with --home.",
        "",
        (show,),
        kind="info",
    )
    show.clicked.connect(dialog.accept)
    if dialog.exec() == MessageDialog.DialogCode.Accepted and not ask_first_to_raise(home):
        _show_failure(error)
        return _IN_USE
    return 0


def _show_failure(error: WorkbenchError) -> None:
    print(error, file=sys.stderr)  # noqa: T201 - started from a terminal, it is told there too
    MessageDialog("Tenfold can’t start", error.message, error.remedy, error.details).exec()


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tenfold-ui", description="The window of Tenfold.")
    parser.add_argument("--home", type=Path, help="the folder that holds everything")
    parser.add_argument("--page", default="", help="the page to begin with: models, compare, jobs, …")
    parser.add_argument(
        "--screenshots", type=Path, metavar="DIR", help="draw every page into this folder and end"
    )
    parser.add_argument("--version", action="version", version=f"tenfold {__version__}")
    return parser.parse_args(argv)
