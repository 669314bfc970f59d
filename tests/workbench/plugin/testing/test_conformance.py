"""The conformance check, on plugins that do what they should and on one that does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from workbench.cli import main
from workbench.errors import NotFoundError, ParameterError, PluginError
from workbench.plugin.testing import Conformance, check_operation

_PLUGINS = Path(__file__).parents[3] / "fixtures" / "plugins"


def _verdicts(found: Conformance) -> dict[str, str]:
    return {check.name: check.verdict for check in found.checks}


def _reason(found: Conformance, name: str) -> str:
    return next(check.reason for check in found.checks if check.name == name)


def test_good_operation_passes_everything(tmp_path: Path) -> None:
    found = check_operation(_PLUGINS / "steps.py", "steps", folder=tmp_path)

    assert set(_verdicts(found).values()) == {"passed"}
    assert len(found.checks) == 7
    found.require()


def test_each_fault_of_an_untidy_operation_is_named(tmp_path: Path) -> None:
    found = check_operation(_PLUGINS / "unruly.py", "unruly", folder=tmp_path, values={"fault": "untidy"})

    verdicts = _verdicts(found)
    assert verdicts["runs"] == "passed"
    assert verdicts["parameters"] == "passed"
    assert [name for name, verdict in verdicts.items() if verdict == "failed"] == [
        "events",
        "files",
        "reproducible",
    ]
    assert "left-behind.txt" in _reason(found, "files")
    assert "beside.txt" in _reason(found, "files")
    assert "progress" in _reason(found, "events")
    assert "differ in tiny-unruly.gguf" in _reason(found, "reproducible")
    with pytest.raises(PluginError, match=r"left-behind\.txt"):
        found.require()


def test_operation_that_hears_a_cancel_too_late_fails_that_check_alone(tmp_path: Path) -> None:
    found = check_operation(_PLUGINS / "unruly.py", "unruly", folder=tmp_path, values={"fault": "deaf"})

    assert [check.name for check in found.failed] == ["cancel"]
    assert " s to end" in _reason(found, "cancel")


def test_result_of_another_format_than_promised_fails(tmp_path: Path) -> None:
    found = check_operation(_PLUGINS / "unruly.py", "unspoken", folder=tmp_path)

    assert "makes one of the format gguf" in _reason(found, "runs")


def test_plugin_that_can_not_be_imported_is_one_failed_check(tmp_path: Path) -> None:
    plugin = tmp_path / "broken.py"
    plugin.write_text("raise RuntimeError('no luck')")

    found = check_operation(plugin, "any", folder=tmp_path / "check")

    assert _verdicts(found) == {"declared": "failed"}
    assert "no luck" in found.checks[0].reason


def test_wrong_use_is_told_apart_from_a_fault_of_the_plugin(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no operation"):
        check_operation(_PLUGINS / "steps.py", "leap", folder=tmp_path / "a")
    with pytest.raises(ParameterError, match="can't be"):
        check_operation(_PLUGINS / "steps.py", "steps", folder=tmp_path / "b", values={"steps": "no"})


def test_command_prints_a_line_for_each_check_and_fails_with_the_plugin(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plugin = str(_PLUGINS / "unruly.py")

    code = main(["--home", str(tmp_path), "plugin", "check", plugin, "--operation", "unspoken"])

    said = capsys.readouterr().out
    assert code == 1
    assert "✗ runs" in said
    assert "✓ parameters" in said
