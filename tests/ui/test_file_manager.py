"""Which command shows a file, on each system."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from PySide6.QtCore import QProcess, QUrl
from PySide6.QtGui import QDesktopServices

from ui.file_manager import show_in_folder


@pytest.mark.parametrize(
    ("platform", "command"),
    [("win32", ("explorer", ["/select,", "{path}"])), ("darwin", ("open", ["-R", "{path}"]))],
)
def test_file_is_chosen_where_the_file_manager_can_do_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, platform: str, command: tuple[str, list[str]]
) -> None:
    started: list[tuple[str, list[str]]] = []
    monkeypatch.setattr(QProcess, "startDetached", lambda *words: started.append(words))
    monkeypatch.setattr(sys, "platform", platform)
    file = tmp_path / "a model.gguf"

    show_in_folder(file)

    assert started == [(command[0], [word.format(path=file) for word in command[1]])]


@pytest.mark.parametrize("name", ["a model.gguf", ""])
def test_elsewhere_the_folder_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    opened: list[QUrl] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", opened.append)
    monkeypatch.setattr(sys, "platform", "linux")

    show_in_folder(tmp_path / name)

    assert [Path(each.toLocalFile()) for each in opened] == [tmp_path]
