"""Draws every page of the window into PNG files, light and dark, at two sizes."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

from PySide6.QtCore import QEventLoop, QSize, QTimer
from PySide6.QtWidgets import QApplication

from ui.context import AppContext
from ui.page_list import PAGES
from ui.pages.finetune import SETTINGS, FinetunePage
from ui.theme import Theme
from ui.window import MainWindow
from workbench.home import Home
from workbench.session import Session

SIZES = (QSize(1280, 800), QSize(1920, 1080))
_SIDES: tuple[Literal["light", "dark"], ...] = ("light", "dark")

#: How long a page may take to have everything that it shows, in milliseconds.
_PATIENCE_MS = 20_000
#: What plots, estimates and layouts take after that, and what a new size or new colours take.
_SETTLE_MS = 900
_REDRAW_MS = 200
_READING_MS = 40


def take_all(app: QApplication, theme: Theme, home: Home, folder: Path) -> int:
    """Draw every page with what a home holds, and the first start with nothing; return the exit code.

    Only looks at the home: no job is started, no hash computed, and no window's place remembered.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="tenfold-") as empty:
        for root, prefix, pages in (
            (home, "", tuple(entry.name for entry in PAGES)),
            (Home(Path(empty)), "empty-", ("models", "optimize", "finetune", "jobs", "compare", "chat")),
        ):
            with Session.open(root, supervise=False) as session:
                window = MainWindow(AppContext(session, theme))
                window.show()
                window.show_running()
                for page in pages:
                    _take_page(app, theme, window, page, folder / f"{prefix}{page}")
                window.hide()
                window.deleteLater()
                wait(lambda: False, 50)
    return 0


def _take_page(app: QApplication, theme: Theme, window: MainWindow, name: str, stem: Path) -> None:
    page = window.open_page(name)
    if name == "optimize" and window.context.session.library.list():
        # The catalogue process takes seconds the first time.
        wait(lambda: page.operations.rowCount() > 0, _PATIENCE_MS)  # type: ignore[attr-defined]
    if name == "plugins":
        wait(lambda: not page.is_looking, _PATIENCE_MS)  # type: ignore[attr-defined]
    if name == "chat" and (kept := page.history.list.item(0)) is not None:  # type: ignore[attr-defined]
        page.history.list.setCurrentItem(kept)  # type: ignore[attr-defined]
    _take(theme, window, stem)
    if isinstance(page, FinetunePage):
        for state in _finetune_states(page):
            _take(theme, window, stem.with_name(f"{stem.name}-{state}"))
    app.processEvents()


def _take(theme: Theme, window: MainWindow, stem: Path) -> None:
    """The window as it stands, light and dark, at both sizes."""
    _let_be(window, _SETTLE_MS)
    # Beginning with the side that the last page ended with: to dress a window takes most of a second.
    for side in sorted(_SIDES, key=lambda each: each != theme.mode):
        theme.set_mode(side)
        for size in SIZES:
            window.resize(size)
            _let_be(window, _REDRAW_MS)
            file = stem.with_name(f"{stem.name}-{side}-{size.width()}x{size.height()}.png")
            window.grab().save(str(file))
            print(file)  # noqa: T201 - what the command is for


def _finetune_states(page: FinetunePage) -> Iterator[str]:
    """The steps of the Fine-tune page with the sample dataset, and its newest run where there is one."""
    if page.teach.chooser.current_id() is None or not wait(lambda: page.entry is not None, _PATIENCE_MS):
        return
    page.use_sample()
    if wait(lambda: page.data.answer is not None, 3 * _PATIENCE_MS):
        yield "data"
    page.steps.choose(SETTINGS)
    yield "settings"
    newest = page.teach.runs.job(0)
    if newest is not None:
        page.show_run(newest.id)
        yield "training"


def _let_be(window: MainWindow, milliseconds: int) -> None:
    """Let the window settle, with the machine's counters on top going on."""
    for _ in range(milliseconds // _READING_MS):
        window.pulse.read_hardware()
        wait(lambda: False, _READING_MS)


def wait(done: Callable[[], bool], at_most_ms: int) -> bool:
    """Let the window work until something holds, or the time is over; whether it held."""
    loop = QEventLoop()
    over = QTimer()
    over.setSingleShot(True)
    over.timeout.connect(loop.quit)
    over.start(at_most_ms)
    look = QTimer()
    look.setInterval(10)
    look.timeout.connect(lambda: loop.quit() if done() else None)
    look.start()
    loop.exec()
    look.stop()
    over.stop()
    return done()
