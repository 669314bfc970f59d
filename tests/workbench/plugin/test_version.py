"""A plugin that was made for another surface is refused in words, before any of it runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from workbench.catalogue import Catalogue
from workbench.errors import PluginError
from workbench.home import Home
from workbench.jobs.loading import import_plugin
from workbench.plugin.version import API_VERSION, check_version

_MAJOR, _MINOR = (int(part) for part in API_VERSION.split("."))


@pytest.mark.parametrize("stated", [API_VERSION, f"{_MAJOR}.0"])
def test_our_version_and_earlier_ones_of_it_are_taken(stated: str) -> None:
    check_version("own", stated)


@pytest.mark.parametrize(
    ("stated", "word"),
    [
        (f"{_MAJOR + 1}.0", "Update Tenfold"),
        (f"{_MAJOR}.{_MINOR + 1}", "Update Tenfold"),
        ("0.9", "newer version of the plugin"),
        ("two", "no version"),
        ("1.2.3", "no version"),
        ("", "no version"),
    ],
)
def test_other_versions_are_refused_with_what_to_do(stated: str, word: str) -> None:
    with pytest.raises(PluginError, match=word):
        check_version("own", stated)


def test_newer_plugin_is_not_run_at_all_and_listed_with_the_reason(home: Home, tmp_path: Path) -> None:
    trace = tmp_path / "it-ran"
    lines = (
        f"TENFOLD_API: str = '{_MAJOR + 1}.0'",
        f"open({str(trace)!r}, 'w')",
        "from workbench.plugin import what_is_new",
    )
    (home.plugins / "newer.py").write_text("\n".join(lines), encoding="utf-8")

    failures = {each.plugin: each.reason for each in Catalogue(home).load().failures}

    assert f"newer.py was made for version {_MAJOR + 1}.0" in failures["file:newer.py"]
    assert not trace.exists()


def test_newer_module_is_refused_by_the_worker_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "newer_module.py").write_text("TENFOLD_API = '99.0'\nraise RuntimeError", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(PluginError, match=r"made for version 99\.0"):
        import_plugin("newer_module")
