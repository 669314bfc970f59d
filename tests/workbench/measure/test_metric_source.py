"""The hash of a metric's source follows its code, and is found without importing it."""

from __future__ import annotations

from pathlib import Path

import pytest

from workbench.measure.metric_source import source_hash


def test_file_is_known_by_its_content_and_looked_for_in_order(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    (second / "mine.py").write_text("raise SystemExit  # never imported")
    before = source_hash("file:mine.py", (first, second))

    (first / "mine.py").write_text("x = 2")

    assert len(before) == 64
    assert source_hash("file:mine.py", (first, second)) not in ("", before)
    assert source_hash("file:mine.py", (second,)) == before
    assert source_hash("file:gone.py", (first,)) == source_hash("no_such_package", ()) == ""


def test_helper_modules_of_a_package_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "with_helper"
    package.mkdir()
    for name in ("__init__", "main", "helper"):
        (package / f"{name}.py").write_text("raise SystemExit")
    monkeypatch.syspath_prepend(tmp_path)
    before = source_hash("with_helper.main", ())

    (package / "helper.py").write_text("x = 1")

    assert source_hash("with_helper.main", ()) != before
