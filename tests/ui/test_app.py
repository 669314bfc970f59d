"""The start of the window: what the person is told where it can't begin, and that it begins."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication, QPushButton

from ui import app as start
from ui import screenshots
from ui.crash import MessageDialog, Uncaught, log_file, start_log
from ui.single_instance import FirstInstance
from ui.theme import Theme
from workbench.home import Home
from workbench.session import Session


@dataclass(frozen=True)
class Told:
    """One message that a person would have seen."""

    kind: str
    text: str
    details: str
    buttons: tuple[str, ...]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Told]:
    """Every message that would have been shown, answered with Close."""
    shown: list[Told] = []

    def close(dialog: MessageDialog) -> int:
        buttons = tuple(each.text() for each in dialog.findChildren(QPushButton))
        shown.append(Told(dialog.bar.kind, dialog.bar.accessibleName(), dialog.bar.details, buttons))
        return 0

    monkeypatch.setattr(MessageDialog, "exec", close)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    return shown


def test_a_home_that_a_command_works_on_is_explained(
    home: Home, told: list[Told], qapp: QApplication
) -> None:
    with Session.open(home, supervise=True):
        code = start.main(["--home", str(home.root)])

    assert code != 0
    assert str(home.root) in told[0].text
    assert "--home" in told[0].text


def test_a_second_start_offers_to_show_the_first_window(
    home: Home, told: list[Told], qapp: QApplication
) -> None:
    with Session.open(home, supervise=True):
        first = FirstInstance(home)
        code = start.main(["--home", str(home.root)])
        first.close()

    assert code == 0
    assert "Show that window" in told[0].buttons


def test_a_damaged_database_is_explained_with_the_details_folded_away(
    home: Home, told: list[Told], qapp: QApplication
) -> None:
    home.database.write_bytes(b"this is no database at all, whatever its name says" * 40)

    code = start.main(["--home", str(home.root)])

    assert code == 1
    assert told[0].kind == "bad"
    assert "Traceback" not in told[0].text


def test_an_error_that_nobody_caught_is_logged_and_told_once(
    home: Home, told: list[Told], qapp: QApplication
) -> None:
    start_log(home)
    hook = Uncaught(home)

    for _ in range(2):
        try:
            raise RuntimeError("the moon is in the wrong phase")
        except RuntimeError as error:
            hook(type(error), error, error.__traceback__)
        qapp.processEvents()

    assert len(told) == 1
    assert "wrong phase" in told[0].details
    assert "wrong phase" in log_file(home).read_text(encoding="utf-8")


def test_every_page_is_drawn_light_and_dark_at_two_sizes(
    home: Home,
    tmp_path: Path,
    tiny_gguf: Path,
    qapp: QApplication,
    theme: Theme,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Session.open(home, supervise=False) as session:
        session.library.add(tiny_gguf)
    # What plots and estimates take to settle does not matter to the ground that they stand on.
    monkeypatch.setattr(screenshots, "_SETTLE_MS", 80)
    monkeypatch.setattr(screenshots, "_REDRAW_MS", 40)

    code = screenshots.take_all(qapp, theme, home, tmp_path / "pictures")

    assert code == 0
    pictures = {each.stem: QImage(str(each)) for each in (tmp_path / "pictures").glob("*.png")}
    for page in ("models", "optimize", "jobs", "settings", "empty-models"):
        for side in ("light", "dark"):
            for width, height in ((1280, 800), (1920, 1080)):
                picture = pictures[f"{page}-{side}-{width}x{height}"]
                assert (picture.width(), picture.height()) == (width, height)
                ground = picture.pixelColor(width - 8, height // 2)
                assert (ground.lightness() < 128) == (side == "dark"), f"{page} {side}"
    assert not (home.root / "window.ini").exists()
