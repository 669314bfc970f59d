"""The catalogue where the system gives it no room."""

from __future__ import annotations

import errno
import shutil
import tempfile
from typing import Any

import pytest

from tests.fixtures.entries import PLUGINS
from workbench.catalogue import Catalogue
from workbench.errors import WorkbenchError
from workbench.home import Home


def test_full_disk_is_told_and_the_plugin_is_looked_at_when_there_is_room(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(PLUGINS / "steps.py", home.plugins)
    catalogue = Catalogue(home)

    def full(*_words: Any, **_more: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(tempfile, "TemporaryDirectory", full)
        with pytest.raises(WorkbenchError, match=r"steps.* can't be looked at: No space left"):
            catalogue.load()

    assert "steps" in {each.name for each in catalogue.load().operations}
